package nemesis

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/check"
	"github.com/virga-mesh/virga/internal/nemesis/witness"
	"github.com/virga-mesh/virga/mesh"
)

// planted is a history of runs whose stages wrote and read as a test says.
type planted struct {
	*history
	clock int64 // Unix time, in ns
}

// underFault is where and when all is that is planted.
var underFault = scene{map[string]string{"a node's id": "n1"}, func(time.Time) string { return "kill -9 of n2" }}

func plant(level mesh.Consistency) *planted {
	began := time.Unix(1000, 0)
	return &planted{newHistory(level, began), began.UnixNano()}
}

// plan has a run that may write x and y in each stage.
func (p *planted) plan(run string, stages ...string) {
	orders := map[string]witness.Order{}
	for _, stage := range stages {
		orders[stage] = witness.Order{Run: run, Stage: stage, Steps: []witness.Step{{Key: "x", Writes: true}, {Key: "y", Writes: true}}}
	}
	p.runs[run] = plan{began: time.Nanosecond, orders: orders}
}

// execution is one of a stage, "stage#number", after others. Its deeds are "x=" for
// a write of x, and "x VERSION" for a read.
func (p *planted) execution(run, name string, after []string, deeds ...string) witness.Execution {
	e := witness.Execution{Name: name, Node: "a node's id", After: after}
	for _, text := range deeds {
		d := witness.Deed{Began: p.tick()}
		if key, writes := strings.CutSuffix(text, "="); writes {
			d.Key, d.Writes, d.Version = key, true, version(run, name, key)
		} else {
			d.Key, d.Version, _ = strings.Cut(text, " ")
		}
		d.Ended = p.tick()
		e.Deeds = append(e.Deeds, d)
	}
	return e
}

func (p *planted) tick() int64 {
	p.clock++
	return p.clock
}

// version is what an execution writes to x or y.
func version(run, name, key string) string {
	stage, execution, _ := strings.Cut(name, "#")
	return witness.Version{Run: run, Stage: stage, Execution: execution, Step: int(key[0] - 'x')}.String()
}

func (p *planted) tells(run string, done ...witness.Execution) {
	p.history.tells(run, witness.Note{Done: done})
}

// found is what is wrong with the history, one word for each violation.
func (p *planted) found(t *testing.T) string {
	t.Helper()
	r, err := p.judge(underFault)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, v := range r.Told {
		all = append(all, v.Anomaly)
	}
	if len(all) != r.Violations {
		t.Errorf("%d violations are told: want %d", len(all), r.Violations)
	}
	return strings.Join(all, ", ")
}

func TestAStageThatReadsWhatWasReplacedIsFound(t *testing.T) {
	for level, want := range map[mesh.Consistency]string{
		mesh.Repeatable:    check.NonRepeatable.String(),
		mesh.CausalKey:     check.StaleKey.String(),
		mesh.CausalCut:     "", // says nothing of two stages
		mesh.CausalSession: strings.Join([]string{check.NonMonotonic.String(), check.StaleKey.String(), check.StaleSession.String()}, ", "),
	} {
		t.Run(level.String(), func(t *testing.T) {
			p := plant(level)
			for _, run := range []string{"1", "2", "3"} {
				p.plan(run, "a", "b")
			}
			p.tells("1", p.execution("1", "a#1", nil, "x="))
			p.tells("2", p.execution("2", "a#1", nil, "x "+version("1", "a#1", "x"), "x="))
			p.tells("3",
				p.execution("3", "a#1", nil, "x "+version("2", "a#1", "x")),
				p.execution("3", "b#1", []string{"a#1"}, "x "+version("1", "a#1", "x")))
			if got := p.found(t); got != want {
				t.Errorf("found %q: want %q", got, want)
			}
		})
	}
}

// TestHalfOfATransactionIsFound has a run see one write of another and what was
// before its other one, and a key that holds that in the end.
func TestHalfOfATransactionIsFound(t *testing.T) {
	p := plant(mesh.Transactional)
	for _, run := range []string{"0", "1", "2"} {
		p.plan(run, "a", "b")
	}
	first := func(key string) string { return version("0", "a#1", key) }
	p.tells("0", p.execution("0", "a#1", nil, "x=", "y="))
	p.tells("1",
		p.execution("1", "a#1", nil, "x "+first("x"), "x="),
		p.execution("1", "b#1", []string{"a#1"}, "y "+first("y"), "y="))
	p.tells("2", p.execution("2", "a#1", nil, "y "+first("y"), "x "+version("1", "a#1", "x")))
	p.ends("x", version("1", "a#1", "x"), time.Now().Add(time.Hour), time.Now().Add(time.Hour+1))
	p.ends("y", first("y"), time.Now().Add(time.Hour), time.Now().Add(time.Hour+1))
	want := strings.Join([]string{check.Lost.String(), check.Fractured.String(), check.Torn.String()}, ", ")
	if got := p.found(t); got != want {
		t.Errorf("found %q: want %q", got, want)
	}
}

// TestAStageIsHeldAgainstTheResultsThatItGot has a stage that was executed
// twice: what comes after one execution owes nothing to the other.
func TestAStageIsHeldAgainstTheResultsThatItGot(t *testing.T) {
	for after, want := range map[string]string{"a#1": "", "a#2": check.StaleKey.String()} {
		p := plant(mesh.CausalKey)
		p.plan("1", "a")
		p.plan("2", "a", "b", "c", "d")
		p.tells("1", p.execution("1", "a#1", nil, "x="))
		p.tells("2",
			p.execution("2", "a#1", nil, "y "),
			p.execution("2", "a#2", nil, "x "+version("1", "a#1", "x"), "x="),
			p.execution("2", "b#1", []string{after}, "x "+version("1", "a#1", "x")))
		if got := p.found(t); got != want {
			t.Errorf("after %s: found %q, want %q", after, got, want)
		}
	}
}

func TestAWriteOfWhichNoResultTellsMayHaveHappened(t *testing.T) {
	for _, c := range []struct{ name, read, want string }{
		{"of a run without a result", version("lost", "a#7", "x"), ""},
		{"of another execution", version("known", "a#8", "x"), ""},
		{"of a key that the step does not write", version("lost", "a#7", "y"), check.Unwritten.String()},
		{"of a stage that there is not", version("lost", "z#7", "x"), check.Unwritten.String()},
		{"of a step that there is not", "lost/a/7/2", check.Unwritten.String()},
		{"of a run that was not begun", version("never", "a#7", "x"), check.Unwritten.String()},
		{"of nobody", "garbage", check.Unwritten.String()},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := plant(mesh.CausalSession)
			p.plan("lost", "a")
			p.plan("known", "a", "b")
			p.tells("known",
				p.execution("known", "a#1", nil, "y="),
				p.execution("known", "b#1", []string{"a#1"}, "x "+c.read, "x "+c.read))
			got := strings.Join(strings.Split(p.found(t), ", ")[:1], "")
			if got != c.want {
				t.Errorf("found %q: want %q", got, c.want)
			}
		})
	}
}

// TestAWriteThatWasReadIsNotForgotten has a stage read what no result tells of,
// and a later one what that had replaced.
func TestAWriteThatWasReadIsNotForgotten(t *testing.T) {
	p := plant(mesh.Repeatable)
	p.plan("lost", "a")
	p.plan("known", "a", "b")
	p.tells("known",
		p.execution("known", "a#1", nil, "x "+version("lost", "a#7", "x")),
		p.execution("known", "b#1", []string{"a#1"}, "x "))
	if got := p.found(t); got != check.NonRepeatable.String() {
		t.Errorf("found %q", got)
	}
}

func TestALossShowsInTheEnd(t *testing.T) {
	for _, acked := range []bool{true, false} {
		p := plant(mesh.CausalCut)
		p.plan("1", "a")
		e := p.execution("1", "a#1", nil, "x=")
		if !acked {
			e.Deeds[0].Ended = 0
		}
		p.tells("1", e)
		p.ends("x", "", time.Unix(2000, 0), time.Unix(2001, 0))
		if got := p.found(t); (got == check.Lost.String()) != acked || !acked && got != "" {
			t.Errorf("acknowledged %v: found %q", acked, got)
		}
	}
}

func TestAViolationIsToldWithWhereAndWhen(t *testing.T) {
	p := plant(mesh.CausalCut)
	p.plan("1", "a")
	p.tells("1", p.execution("1", "a#1", nil, "x garbage"))
	r, err := p.judge(underFault)
	if err != nil || len(r.Told) != 1 || len(r.Told[0].Events) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, want := range []string{"1/a#1 reads x = garbage", "at n1", "kill -9 of n2"} {
		if told := r.Told[0].Events[0]; !strings.Contains(told, want) {
			t.Errorf("%q does not say %q", told, want)
		}
	}
}

func TestAHistoryIsFullOfWhatItsRunsMayDo(t *testing.T) {
	h, chance := newHistory(mesh.CausalKey, time.Now()), rand.New(rand.NewPCG(1, 1))
	begun := 0
	for ; ; begun++ {
		name, args, room := h.begin(shapes[begun%len(shapes)], chance)
		if !room {
			break
		}
		if name != fmt.Sprint(begun) || len(args) != len(shapes[begun%len(shapes)].Stages) {
			t.Fatalf("run %q has %d arguments", name, len(args))
		}
	}
	r, err := h.judge(underFault)
	if err != nil || !r.Full || r.Unanswered != begun || h.planned > mostEvents || h.planned < mostEvents-4*mostSteps {
		t.Errorf("%d runs begun, %d events planned: %+v, %v", begun, h.planned, r, err)
	}
}
