package run

import (
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
}

// randomJob draws a DAG whose stages are not declared in the order in which
// they run.
func randomJob(r *rand.Rand) job {
	n := 1 + r.IntN(8)
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("s%d", i)
	}
	order := r.Perm(n)
	var edges []string
	for to := range n {
		for from := range to {
			if r.IntN(3) == 0 {
				edges = append(edges, names[order[from]]+":"+names[order[to]])
			}
		}
	}
	r.Shuffle(len(edges), func(i, j int) { edges[i], edges[j] = edges[j], edges[i] })
	j := job{dagOf(names, edges), map[string][]Arg{}}
	for _, name := range names {
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
	return fmt.Sprintf("%x", h.Sum64())
}

// direct evaluates the job as one would by hand: the oracle.
func (j job) direct() []StageResult {
	values := map[string]string{}
	var eval func(stage string) string
	eval = func(stage string) string {
		if v, ok := values[stage]; ok {
			return v
		}
		args := texts(j.args[stage])
		for _, e := range j.dag.Edges {
			if e.To == stage {
				args = append(args, eval(e.From))
			}
		}
		values[stage] = hashed(stage, args)
		return values[stage]
	}
	var results []StageResult
	for _, sink := range j.dag.Sinks() {
		name := j.dag.Stages[sink].Name
		results = append(results, StageResult{name, text(eval(name))})
	}
	return results
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
	restarts, exhausted := 0, 0
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		j := randomJob(r)
		w, err := newWorld(j.dag, j.args, 2)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		w.value = hashed
		deaths := r.IntN(3)
		w.start(randomPlaces(r, w))
		w.play(r, func() {
			if deaths > 0 && r.IntN(12) == 0 {
				w.kill(mesh.NodeID(fmt.Sprintf("n%d", 2+r.IntN(3))))
				deaths--
			}
			for w.tracker.phase == planning {
				restarts++
				w.start(randomPlaces(r, w))
			}
		})
		switch {
		case w.tracker.phase != over:
			t.Fatalf("seed %d: nothing is left to do, and the run is not over:\n%s", seed, w.out.String())
		case w.tracker.err != nil && w.tracker.err.Kind == mesh.Unavailable && w.tracker.tried == 2:
			exhausted++
		case w.tracker.err != nil || !same(w.tracker.answers(), j.direct()):
			t.Fatalf("seed %d: %v %v\nwant %v\n%s", seed, w.tracker.answers(), w.tracker.err, j.direct(), w.out.String())
		case len(w.tracker.reports) != len(j.dag.Stages):
			t.Fatalf("seed %d: %d of %d stages reported:\n%s", seed, len(w.tracker.reports), len(j.dag.Stages), w.out.String())
		default:
			checkNothingLeft(t, seed, w)
		}
	}
	if restarts < 100 || exhausted < 5 {
		t.Errorf("%d restarts, %d exhausted: the seeds try too little", restarts, exhausted)
	}
}

// checkNothingLeft sees that after a success no node waits or holds anything
// of the last attempt, without having been told that it is over.
func checkNothingLeft(t *testing.T, seed uint64, w *world) {
	t.Helper()
	for id, n := range w.nodes {
		e := n.exec
		if e == nil || e.spec != w.tracker.spec {
			continue
		}
		if e.left != 0 || e.held != 0 || len(e.unsent) != 0 {
			t.Fatalf("seed %d: node %s is left with %d stages, %d bytes, %d reports", seed, string(id), e.left, e.held, len(e.unsent))
		}
	}
}

// randomPlaces puts the stages on nodes that live.
func randomPlaces(r *rand.Rand, w *world) []mesh.NodeID {
	live := []mesh.NodeID{leader}
	for _, id := range []mesh.NodeID{"n2", "n3", "n4"} {
		if !w.node(id).dead {
			live = append(live, id)
		}
	}
	places := make([]mesh.NodeID, len(w.graph.stages))
	for i := range places {
		places[i] = live[r.IntN(len(live))]
	}
	return places
}
