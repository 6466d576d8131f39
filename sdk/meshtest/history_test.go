package meshtest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/internal/check"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/meshtest"
)

// recorded plays a story: "who verb key version" a line, where who is a client or
// run/stage, and the verb is w (writes), w? (writes, and is not answered), d (deletes), r (reads; of nothing
// without a version) or f (reads in the end). Stage 2 comes after stage 1, stage 3 beside
// them. "T ends", or "T ends KIND", tells how a run at mesh.Transactional ended, of those with a capital.
func recorded(t *testing.T, story string) *meshtest.History {
	t.Helper()
	h := &meshtest.History{}
	d := &mesh.DAG{Name: "d", Stages: []mesh.Stage{{Name: "1"}, {Name: "2"}, {Name: "3"}}, Edges: []mesh.Edge{{From: "1", To: "2"}}}
	if err := h.Order(d); err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(strings.TrimSpace(story), "\n") {
		words := strings.Fields(line)
		if words[1] == "ends" {
			h.Ended(runOf(words[0]), map[string]error{"Conflict": mesh.Conflict, "Unavailable": mesh.Unavailable}[strings.Join(words[2:], "")])
			continue
		}
		a := meshtest.Access{Key: words[2], Writes: words[1] == "w" || words[1] == "w?", Deletes: words[1] == "d", Unanswered: words[1] == "w?", Final: words[1] == "f"}
		if run, stage, is := strings.Cut(words[0], "/"); is {
			a.Run, a.Stage = run, stage
			if strings.ToUpper(run) == run {
				a.Run = runOf(run).String()
			}
		} else {
			a.Session = words[0]
		}
		if len(words) > 3 {
			a.Version = words[3]
		}
		if err := h.Record(a); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// runOf is the id of a run of a story.
func runOf(name string) (id mesh.RunID) {
	copy(id[:], name)
	return id
}

func TestPlantedViolationsAreFound(t *testing.T) {
	for name, c := range map[string]struct {
		story string
		want  map[mesh.Consistency]string // the anomalies; of other levels none
	}{
		"all in order": {story: `
			a w x 1
			r/1 r x 1
			r/1 w x 2
			r/2 r x 2
			a d x
			s/1 r x
			a f x`},
		"what nobody wrote": {`
			a w x 1
			r/1 r x 2`, everywhere(meshtest.Unwritten)},
		"a client reads what nobody wrote": {`
			a r x 2`, everywhere(meshtest.Unwritten)},
		"a lost write": {`
			a w x 1
			r/1 r x 1
			r/1 w x 2
			a f x 1`, at(everywhere(meshtest.Lost), mesh.Transactional)}, // nobody told how the run ended
		"what was not answered may be lost": {story: `
			a w x 1
			r/1 w? x 2
			a f x 1`},
		"two versions in a run": {`
			a w x 1
			r/1 r x 1
			a w x 2
			r/3 r x 2`, map[mesh.Consistency]string{mesh.Repeatable: string(meshtest.NonRepeatable)}},
		"back to an older version": {`
			a w x 1
			a w x 2
			r/1 r x 2
			r/2 r x 1`, map[mesh.Consistency]string{
			mesh.Repeatable: string(meshtest.NonRepeatable), mesh.CausalKey: string(meshtest.StaleKey),
			mesh.CausalSession: join(meshtest.NonMonotonic, meshtest.StaleKey, meshtest.StaleSession),
			mesh.Transactional: join(meshtest.NonRepeatable, meshtest.NonMonotonic, meshtest.StaleKey, meshtest.StaleSession),
		}},
		"an older version beside a newer one": {`
			a w x 1
			a w x 2
			r/1 r x 2
			r/3 r x 1`, map[mesh.Consistency]string{mesh.Repeatable: string(meshtest.NonRepeatable)}},
		"an own write that is not seen": {`
			a w x 1
			r/1 r x 1
			r/1 w x 2
			r/2 r x 1`, map[mesh.Consistency]string{
			mesh.CausalKey:     string(meshtest.StaleKey),
			mesh.CausalSession: join(meshtest.Overwritten, meshtest.StaleKey, meshtest.StaleSession),
		}},
		"the answer without the question, in one stage": {`
			q/1 w question 1
			p/1 r question 1
			p/1 w answer 1
			r/1 r answer 1
			r/1 r question`, map[mesh.Consistency]string{
			mesh.CausalCut: string(meshtest.StaleCut), mesh.CausalSession: join(meshtest.StaleCut, meshtest.StaleSession),
		}},
		"the answer without the question, in two stages": {`
			q/1 w question 1
			p/1 r question 1
			p/1 w answer 1
			r/1 r answer 1
			r/2 r question`, map[mesh.Consistency]string{mesh.CausalSession: string(meshtest.StaleSession)}},
		"the answer of a later stage, without the question": {`
			q/1 w question 1
			p/1 r question 1
			p/2 w answer 1
			r/1 r answer 1
			r/1 r question`, map[mesh.Consistency]string{
			mesh.CausalSession: string(meshtest.StaleSession), mesh.Transactional: join(meshtest.StaleCut, meshtest.StaleSession),
		}},
		"what a client answers has no question": {story: `
			q/1 w question 1
			a r question 1
			a w answer 1
			r/1 r answer 1
			r/1 r question`},
		"a client may read the past": {story: `
			a w x 1
			a w x 2
			b r x 2
			b r x 1`},
		"a run that succeeded, and lost a write": {`
			a w x 1
			T/1 r x 1
			T/1 w x 2
			T ends
			a f x 1`, everywhere(meshtest.Lost)},
		"a run that failed, and lost a write": {story: `
			a w x 1
			T/1 r x 1
			T/1 w x 2
			T ends Unavailable
			a f x 1`},
		"a run that had a conflict, and wrote": {`
			T/1 w x 2
			T ends Conflict
			a f x 2`, everywhere(meshtest.Unwritten)},
		"a run that failed, and half of what it wrote is there": {`
			a w x 1
			a w y 1
			T/1 r x 1
			T/1 r y 1
			T/1 w x 2
			T/2 w y 2
			T ends Unavailable
			a f x 2
			a f y 1`, map[mesh.Consistency]string{mesh.Transactional: string(meshtest.Torn)}},
		"half of what another run wrote": {`
			a w x 1
			a w y 1
			T/1 r x 1
			T/1 r y 1
			T/1 w x 2
			T/2 w y 2
			T ends
			U/1 r x 1
			U/1 r y 2
			U ends`, map[mesh.Consistency]string{
			mesh.CausalCut: "", mesh.Transactional: string(meshtest.Fractured),
		}},
		"half of what another run wrote, through a third": {`
			a w x 1
			a w y 1
			T/1 r x 1
			T/1 r y 1
			T/1 w x 2
			T/2 w y 2
			T ends
			U/1 r x 2
			U/1 w z 1
			U ends
			V/1 r z 1
			V/1 r y 1
			V ends`, map[mesh.Consistency]string{
			mesh.CausalCut: "", mesh.Transactional: join(meshtest.StaleCut, meshtest.StaleSession, meshtest.Fractured),
		}},
		"effects before their causes": {`
			p/1 r x 1
			p/2 w y 1
			q/1 r y 1
			q/2 w x 1`, map[mesh.Consistency]string{mesh.CausalSession: string(meshtest.Cycle)}},
	} {
		t.Run(name, func(t *testing.T) {
			h := recorded(t, c.story)
			for _, level := range mesh.Levels() {
				found, err := h.Check(level)
				if untold := strings.Contains(c.story, "/") && !strings.Contains(c.story, " ends"); untold && level == mesh.Transactional {
					if mesh.KindOf(err) != mesh.Invalid {
						t.Errorf("runs whose ends are not told: %v", err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				var kinds []meshtest.Anomaly
				for _, v := range found {
					kinds = append(kinds, v.Anomaly)
				}
				if got, want := join(slices.Compact(kinds)...), c.want[level]; got != want {
					t.Errorf("%s: found %q, want %q\n%v", level, got, want, found)
				}
			}
		})
	}
}

func join(kinds ...meshtest.Anomaly) string {
	var names []string
	for _, kind := range kinds {
		names = append(names, string(kind))
	}
	return strings.Join(names, ", ")
}

// at is what is found at each level, with other anomalies at one.
func at(want map[mesh.Consistency]string, level mesh.Consistency, kinds ...meshtest.Anomaly) map[mesh.Consistency]string {
	want[level] = join(kinds...)
	return want
}

func everywhere(kind meshtest.Anomaly) map[mesh.Consistency]string {
	want := map[mesh.Consistency]string{}
	for _, level := range mesh.Levels() {
		want[level] = string(kind)
	}
	return want
}

func TestAViolationTellsWhoSawWhat(t *testing.T) {
	found, err := recorded(t, `
		a w x 1
		r/1 r x 1
		a d x
		r/2 r x`).Check(mesh.Repeatable)
	if err != nil || len(found) != 1 || found[0].String() != "non-repeatable read: r/1 reads x = 1; r/2 reads x = nothing" {
		t.Errorf("%v, %v", found, err)
	}
}

// failing is a test that a History fails.
type failing struct {
	testing.TB
	text string
}

func (f *failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) { f.text = fmt.Sprintf(format, args...) }

func TestRequireFailsATest(t *testing.T) {
	h := recorded(t, `
		a w x 1
		r/1 r x 1
		a w x 2
		r/2 r x 2`)
	f := &failing{TB: t}
	if h.Require(f, mesh.Eventual); f.text != "" {
		t.Errorf("eventual: %s", f.text)
	}
	if h.Require(f, mesh.Repeatable); !strings.Contains(f.text, "1 times what repeatable forbids") || !strings.Contains(f.text, "r/2 reads x = 2") {
		t.Errorf("repeatable: %s", f.text)
	}
}

func TestTheAnomaliesHaveTheCheckersNames(t *testing.T) {
	var forbidden, named []string
	for _, kind := range check.Anomalies() {
		if slices.ContainsFunc(mesh.Levels(), func(l mesh.Consistency) bool { return slices.Contains(check.Forbidden(l), kind) }) {
			forbidden = append(forbidden, kind.String())
		}
	}
	for _, kind := range []meshtest.Anomaly{
		meshtest.Unwritten, meshtest.Lost, meshtest.NonRepeatable, meshtest.NonMonotonic, meshtest.Overwritten,
		meshtest.StaleKey, meshtest.StaleCut, meshtest.StaleSession, meshtest.Cycle, meshtest.Fractured, meshtest.Torn,
	} {
		named = append(named, string(kind))
	}
	if !slices.Equal(forbidden, named) {
		t.Errorf("levels forbid %q, named are %q", forbidden, named)
	}
}
