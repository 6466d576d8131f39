package run

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/virga-mesh/virga/mesh"
)

// job is a DAG with its arguments.
type job struct {
	dag  *mesh.DAG
	args map[string][]Arg
	salt string // of the generation that counts: each computes other results
}

// randomJob draws a DAG whose stages are not declared in the order in which
// they run. One in three edges has a condition, one in four stages with
// parents takes any of them.
func randomJob(r *rand.Rand, most int) job {
	n := 1 + r.IntN(most)
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("s%d", i)
	}
	order := r.Perm(n)
	var edges []string
	for to := range n {
		for from := range to {
			if r.IntN(3+n/8) == 0 {
				edges = append(edges, names[order[from]]+":"+names[order[to]])
			}
		}
	}
	r.Shuffle(len(edges), func(i, j int) { edges[i], edges[j] = edges[j], edges[i] })
	j := job{dag: dagOf(names, edges), args: map[string][]Arg{}}
	for i := range j.dag.Edges {
		if r.IntN(3) == 0 {
			j.dag.Edges[i].When = mesh.Condition{Path: ".", Op: mesh.Greater, JSON: fmt.Sprintf("%q", []string{"2", "6"}[r.IntN(2)])}
		}
	}
	for i, name := range names {
		if len(j.dag.Parents(name)) > 0 && r.IntN(4) == 0 {
			j.dag.Stages[i].Any = &mesh.AnyOf{Invalid: []mesh.Value{text("nothing")}}
		}
		if r.IntN(2) == 0 {
			j.args[name] = argsOf(fmt.Sprint(r.IntN(100)), "")[:1+r.IntN(2)]
		}
	}
	return j
}

// hashed gives the result of a stage as a short digest of what it computes.
func hashed(stage string, args []string) string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s%q", stage, args)
	return fmt.Sprintf("%016x", h.Sum64()*0x9E3779B97F4A7C15) // all digits alike
}

var errBoom = errors.New("boom")

// computed is what a stage's function gives: of any-of stages the same for
// whatever valid result it runs with, so that it does not matter which comes
// first; some of what they run with is not valid, or makes them fail.
func computed(stage string, anyOf bool, args []string) (string, error) {
	if !anyOf {
		return hashed(stage, args), nil
	}
	switch with := hashed(stage, args[len(args)-1:]); {
	case with < "4":
		return "nothing", nil
	case with < "6":
		return "", errBoom
	}
	return hashed(stage, args[:len(args)-1]), nil
}

func (j job) isAny(stage string) bool { return j.dag.Stages[j.dag.Stage(stage)].Any != nil }

// outcome is what a stage comes to.
type outcome struct {
	value           string
	skipped, failed bool
}

// outcomes evaluates the job as one would by hand: the oracle.
func (j job) outcomes() map[string]outcome {
	known := map[string]outcome{}
	var eval func(stage string) outcome
	eval = func(stage string) outcome {
		if _, ok := known[stage]; !ok {
			known[stage] = j.outcome(stage, eval)
		}
		return known[stage]
	}
	for _, s := range j.dag.Stages {
		eval(s.Name)
	}
	return known
}

func (j job) outcome(stage string, eval func(string) outcome) outcome {
	args := texts(j.args[stage])
	parents, failed := 0, false
	var taken []string
	for _, e := range j.dag.Edges {
		if e.To != stage {
			continue
		}
		parents++
		switch from := eval(e.From); {
		case from.failed:
			failed = true
		case !from.skipped && (e.When.IsZero() || fmt.Sprintf("%q", from.value) > e.When.JSON):
			taken = append(taken, from.value)
		}
	}
	switch {
	case j.isAny(stage):
		for _, v := range taken {
			if got, err := computed(stage+j.salt, true, append(slices.Clone(args), v)); err == nil && got != "nothing" {
				return outcome{value: got}
			}
		}
		return outcome{skipped: len(taken) == 0 && !failed, failed: len(taken) > 0 || failed}
	case failed:
		return outcome{failed: true}
	case parents > 0 && len(taken) == 0:
		return outcome{skipped: true}
	}
	got, _ := computed(stage+j.salt, false, append(args, taken...))
	return outcome{value: got}
}

// expectation is what a run of the job may come to.
type expectation struct {
	results           []StageResult
	mayFail, mustFail bool
}

func (j job) direct() (v expectation) {
	outcomes := j.outcomes()
	for _, o := range outcomes {
		v.mayFail = v.mayFail || o.failed
	}
	for _, sink := range j.dag.Sinks() {
		name := j.dag.Stages[sink].Name
		o := outcomes[name]
		v.mustFail = v.mustFail || o.failed
		if !o.skipped && !o.failed {
			v.results = append(v.results, StageResult{name, text(o.value)})
		}
	}
	return v
}

// check says what is wrong with an answer; empty: nothing.
func (v expectation) check(results []StageResult, err error) string {
	switch {
	case err != nil && !v.mayFail:
		return fmt.Sprintf("failed with %v: expected %v", err, v.results)
	case err != nil:
		return ""
	case v.mustFail:
		return fmt.Sprintf("gave %v: expected to fail", results)
	case !same(results, v.results):
		return fmt.Sprintf("gave %v: expected %v", results, v.results)
	}
	return ""
}

func same(a, b []StageResult) bool {
	return slices.EqualFunc(a, b, func(a, b StageResult) bool {
		return a.Stage == b.Stage && a.Value.Format == b.Value.Format && string(a.Value.Data) == string(b.Value.Data)
	})
}

// Letters reordered and delivered twice, invocations that end in any order,
// nodes that die: the machines answer what direct evaluation gives, or that
// no attempts are left.
func TestMachinesAgreeWithDirectEvaluation(t *testing.T) {
	repaired, exhausted, failed, skipped, anew := 0, 0, 0, 0, 0
	for seed := range uint64(4000) {
		r := rand.New(rand.NewPCG(seed, 1))
		j := randomJob(r, 12)
		w, err := newWorld(j.dag, j.args, 3)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		w.full = func() bool { return seed%4 == 0 && r.IntN(2) == 0 }
		w.value = func(s *stage, generation uint32, args []string) (string, error) {
			return computed(s.name+saltOf(int(generation)), s.anyOf(), args)
		}
		w.tracker.commits = seed%2 == 0
		conflicts := r.IntN(4)
		deaths := r.IntN(4)
		w.start(randomPlaces(r, w, len(w.graph.stages)))
		w.play(r, func() bool { return w.mishap(r, &deaths, &repaired, &conflicts) })
		if j.salt = saltOf(w.tracker.generation); j.salt != "" {
			anew++
		}
		want := j.direct()
		switch {
		case w.tracker.phase != over:
			t.Fatalf("seed %d: nothing is left to do, and the run is not over:\n%s", seed, w.out.String())
		case w.tracker.err != nil && w.tracker.err.Kind == mesh.Unavailable && w.tracker.tried == 3:
			exhausted++
		default:
			var err error
			if w.tracker.err != nil {
				err = w.tracker.err
				failed++
			}
			if wrong := want.check(w.resultsIfAny(), err); wrong != "" {
				t.Fatalf("seed %d: %s\n%s", seed, wrong, w.out.String())
			}
			if len(want.results) < len(j.dag.Sinks()) {
				skipped++
			}
		}
		checkNothingLeft(t, seed, w)
	}
	if repaired < 300 || exhausted < 5 || failed < 100 || skipped < 100 || anew < 500 {
		t.Errorf("%d repaired, %d exhausted, %d failed, %d with sinks skipped, %d begun anew: the seeds try too little", repaired, exhausted, failed, skipped, anew)
	}
}

// saltOf has each generation compute something else.
func saltOf(generation int) string {
	if generation == 0 {
		return ""
	}
	return fmt.Sprintf("@%d", generation)
}

func (w *world) resultsIfAny() []StageResult {
	if w.tracker.err != nil {
		return nil
	}
	return w.tracker.answers()
}

// mishap lets a node die or forget the run now and then, and the run be repaired some time
// later: survey and amendment each when chance says, so that anything may
// happen before and between. It reports whether it did something.
func (w *world) mishap(r *rand.Rand, deaths, repaired, conflicts *int) bool {
	t := &w.tracker
	if *deaths > 0 && t.phase != over && r.IntN(12) == 0 {
		if victim := mesh.NodeID(fmt.Sprintf("n%d", 2+r.IntN(3))); r.IntN(4) > 0 {
			w.kill(victim)
		} else {
			w.drop(victim)
		}
		*deaths--
	}
	idle := len(w.running()) == 0
	switch {
	case t.phase == committing && r.IntN(3) > 0 && !idle:
		return false
	case t.phase == committing && *conflicts > 0:
		*conflicts--
		w.do(t.conflicted(mesh.Errorf(mesh.Conflict, "", "a key was written")))
	case t.phase == committing:
		w.do(t.committed())
	case t.phase == planning && r.IntN(3) > 0 && !idle:
		return false
	case t.phase == planning:
		w.start(randomPlaces(r, w, len(w.graph.stages)))
	case t.phase == over || r.IntN(3) > 0 && !idle:
		return false
	case w.survey == nil && t.hurt:
		w.look()
	case w.survey != nil && !slices.Equal(w.survey.lost, t.lost):
		w.survey = nil // one more was lost meanwhile
		w.look()
	case w.survey != nil:
		*repaired++
		anew := w.survey.again()
		w.logf("again %v", w.names(anew))
		w.amend(randomPlaces(r, w, len(anew)))
		w.survey = nil
	default:
		return false
	}
	return true
}

// checkNothingLeft sees that no node waits or holds anything of a run that is over.
func checkNothingLeft(t *testing.T, seed uint64, w *world) {
	t.Helper()
	for id, n := range w.nodes {
		e := n.exec
		if e == nil || e.left == 0 && !e.spec.keeps(id) { // it forgets by itself
			continue
		}
		t.Fatalf("seed %d: node %s is left with %d stages, %d bytes\n%s", seed, string(id), e.left, e.held, w.out.String())
	}
}

// randomPlaces puts so many stages on nodes that live.
func randomPlaces(r *rand.Rand, w *world, stages int) []mesh.NodeID {
	live := []mesh.NodeID{leader}
	for _, id := range []mesh.NodeID{"n2", "n3", "n4"} {
		if !w.node(id).dead {
			live = append(live, id)
		}
	}
	places := make([]mesh.NodeID, stages)
	for i := range places {
		places[i] = live[r.IntN(len(live))]
	}
	return places
}
