package meshtest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/check"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
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

// A run that began anew executes its stages again; a node that is lost has others
// execute them again: what the executions read and wrote is told apart.
func TestExecutionsAreToldApart(t *testing.T) {
	h, key := &meshtest.History{}, "x"
	d := &mesh.DAG{Name: "d", Stages: []mesh.Stage{{Name: "1"}, {Name: "2"}}, Edges: []mesh.Edge{{From: "1", To: "2"}}}
	if err := h.Order(d); err != nil {
		t.Fatal(err)
	}
	run := mesh.NewRunID()
	note := func(stage string, attempt uint32, write bool, version string) {
		t.Helper()
		id := mesh.InvocationID{Node: "n", Run: run, Stage: stage, Attempt: attempt}
		if err := meshtest.Note(h, id, key, version, write); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Record(meshtest.Access{Session: "a", Key: key, Writes: true, Version: "1"}, meshtest.Access{Session: "a", Key: key, Writes: true, Version: "2"}); err != nil {
		t.Fatal(err)
	}
	note("1", 1, false, "2")
	note("1", 2, false, "1")
	note("2", 2, false, "1")
	for level, want := range map[mesh.Consistency]int{mesh.CausalKey: 0, mesh.CausalSession: 0, mesh.Repeatable: 2} {
		if found, err := h.Check(level); err != nil || len(found) != want {
			t.Errorf("%s: found %v, %v, want %d", level, found, err, want)
		}
	}
	note("1", 1<<10, true, "3")
	note("1", 2<<10, false, "1")
	note("1", 2<<10, true, "3") // once more
	note("2", 2<<10, false, "3")
	h.Ended(run, nil)
	if err := h.Record(meshtest.Access{Session: "a", Key: key, Version: "1", Final: true}); err != nil {
		t.Fatal(err)
	}
	found, err := h.Check(mesh.Transactional)
	if err != nil || len(found) != 2 || found[1].Anomaly != meshtest.Lost || !strings.Contains(found[1].String(), "writes x = 3") {
		t.Errorf("of a run that began anew: found %v, %v", found, err)
	}
}

func TestWhatIsNoAccessIsInvalid(t *testing.T) {
	h := recorded(t, "a w x 1")
	for name, a := range map[string]meshtest.Access{
		"nobody's":            {Key: "x", Version: "1"},
		"no key":              {Session: "a", Version: "1"},
		"nothing is written":  {Session: "a", Key: "x", Writes: true},
		"a version once more": {Session: "b", Key: "x", Writes: true, Version: "1"},
	} {
		if err := h.Record(a); !errors.Is(err, mesh.Invalid) {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
	if _, err := h.Check(mesh.Consistency(99)); !errors.Is(err, mesh.Invalid) {
		t.Errorf("no level: %v, want Invalid", err)
	}
	var value string
	for name, err := range map[string]error{
		"get": h.Get(t.Context(), "x", &value), "put": h.Put(t.Context(), "x", "2"),
		"delete": h.Delete(t.Context(), "x"), "argument": h.Argument(t.Context(), "x", "1"),
	} {
		if !errors.Is(err, mesh.Invalid) {
			t.Errorf("%s outside of a function: %v, want Invalid", name, err)
		}
	}
}

func TestOrdersThatCannotBeAreInvalid(t *testing.T) {
	h := recorded(t, "a w x 1") // knows that 2 comes after 1
	for name, d := range map[string]*mesh.DAG{
		"a cycle":       {Stages: []mesh.Stage{{Name: "a"}, {Name: "b"}}, Edges: []mesh.Edge{{From: "a", To: "b"}, {From: "b", To: "a"}}},
		"no such stage": {Stages: []mesh.Stage{{Name: "c"}}, Edges: []mesh.Edge{{From: "c", To: "d"}}},
		"another order": {Stages: []mesh.Stage{{Name: "1"}, {Name: "2"}}, Edges: []mesh.Edge{{From: "2", To: "1"}}},
	} {
		if err := h.Order(d); !errors.Is(err, mesh.Invalid) {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
}

// Functions of a real mesh note what they do, also what is missing, by reference, retried.
func TestFunctionsAndClientsNoteWhatTheyDo(t *testing.T) {
	h := &meshtest.History{}
	attempts := 0
	m := meshtest.New(t, 1, meshtest.Handle("all", func(ctx context.Context, config string) (string, error) {
		if attempts++; attempts == 1 {
			return "", errors.Join(h.Argument(ctx, "config", config), h.Put(ctx, "x", 7), errors.New("at first it fails"))
		}
		var missing, n int
		if err := h.Get(ctx, "nosuch", &missing); !errors.Is(err, mesh.NotFound) {
			return "", fmt.Errorf("a missing key gave %w", err)
		}
		if err := errors.Join(h.Put(ctx, "x", 7), h.Get(ctx, "x", &n), h.Delete(ctx, "x")); err != nil || n != 7 {
			return "", fmt.Errorf("read %d, %w", n, err)
		}
		return "", h.Put(ctx, "x", 8)
	}), meshtest.Handle("again", func(ctx context.Context, _ fn.None) (string, error) {
		err := h.Put(ctx, "x", 8)
		return string(mesh.KindOf(err)), nil
	}))
	raw := m.Dial(t)
	client := h.Client("client", raw)
	if err := client.Put(t.Context(), "config", "blue"); err != nil {
		t.Fatal(err)
	}
	all := sdk.Func[sdk.Ref, string](raw, "all")
	all.Options.Consistency = mesh.Repeatable
	all.Options.Stage = mesh.StageOptions{Retry: mesh.Retry{Attempts: 2, Backoff: time.Millisecond}}
	if _, err := all.Call(t.Context(), raw.Ref("config")); err != nil {
		t.Fatal(err)
	}
	if kind, err := sdk.Func[fn.None, string](raw, "again").Call(t.Context(), fn.None{}); err != nil || kind != string(mesh.Invalid) {
		t.Errorf("another run that writes the same gave %q, %v", kind, err)
	}
	if err := client.Put(t.Context(), "config", "blue"); !errors.Is(err, mesh.Invalid) {
		t.Errorf("a client that writes the same gave %v", err)
	}
	var config string
	var x int
	if err := errors.Join(client.Get(t.Context(), "config", &config), client.Final(t.Context(), "x", &x)); err != nil || config != "blue" || x != 8 {
		t.Errorf("read %q and %d, %v", config, x, err)
	}
	if err := client.Delete(t.Context(), "config"); err != nil {
		t.Error(err)
	}
	h.Require(t, mesh.Repeatable)
}
