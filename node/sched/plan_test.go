package sched

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

func ref(name string) mesh.FuncRef {
	return mesh.FuncRef{Namespace: "default", Name: name, Version: "v1"}
}

func key(name string) mesh.Key { return mesh.Key{Namespace: "default", Name: name} }

// wasm is a stage that runs anywhere.
func wasm(name string, parents ...int) Stage {
	return Stage{Name: name, Func: mesh.FuncInfo{Ref: ref(name), Kind: mesh.Wasm}, Parents: parents}
}

func native(name string, hosts ...mesh.NodeID) Stage {
	return Stage{Name: name, Func: mesh.FuncInfo{Ref: ref(name), Kind: mesh.Native, Hosts: hosts}}
}

func reads(s Stage, names ...string) Stage {
	for _, name := range names {
		s.Refs = append(s.Refs, key(name))
	}
	return s
}

func holds(id mesh.NodeID, bytes int64, names ...string) Node {
	n := Node{ID: id, Cached: map[mesh.Key]int64{}}
	for _, name := range names {
		n.Cached[key(name)] = bytes
	}
	return n
}

func warm(id mesh.NodeID, names ...string) Node {
	n := Node{ID: id, Funcs: map[mesh.FuncRef]FuncAt{}}
	for _, name := range names {
		n.Funcs[ref(name)] = FuncAt{Warm: 1}
	}
	return n
}

func TestPlanErrors(t *testing.T) {
	nodes := []Node{{ID: "n1"}, {ID: "n2"}}
	pin := func(stage string, node mesh.NodeID) map[string]mesh.NodeID {
		return map[string]mesh.NodeID{stage: node}
	}
	for _, c := range []struct {
		name string
		q    Request
		kind mesh.ErrorKind
		text string
	}{
		{"no live node", Request{Stages: []Stage{wasm("a")}}, mesh.Unavailable, "no live node"},
		{"hosts gone", Request{Stages: []Stage{native("a", "n9")}, Nodes: nodes}, mesh.Unavailable, "no live node hosts native function a@v1: 1 host known"},
		{"no hosts", Request{Stages: []Stage{native("a")}, Nodes: nodes, Policy: Random}, mesh.Unavailable, "0 hosts known"},
		{"pin to the dead", Request{Stages: []Stage{wasm("a")}, Nodes: nodes, Pins: pin("a", "n9")}, mesh.Unavailable, "not live"},
		{"pin off the hosts", Request{Stages: []Stage{native("a", "n1")}, Nodes: nodes, Pins: pin("a", "n2")}, mesh.Invalid, "does not host"},
		{"pin of nothing", Request{Stages: []Stage{wasm("a")}, Nodes: nodes, Pins: pin("z", "n1")}, mesh.Invalid, `stage "z"`},
		{"policy", Request{Stages: []Stage{wasm("a")}, Nodes: nodes, Policy: "best"}, mesh.Invalid, "expected locality, random or round-robin"},
		{"cycle", Request{Stages: []Stage{wasm("a", 1), wasm("b", 0)}, Nodes: nodes}, mesh.Invalid, "cycle"},
		{"parent", Request{Stages: []Stage{wasm("a", 7)}, Nodes: nodes}, mesh.Invalid, "parent 7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Plan(c.q)
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("Plan = %v, want %v with %q", err, c.kind, c.text)
			}
		})
	}
}

func TestPinsComeBeforePolicies(t *testing.T) {
	for _, policy := range []Policy{Locality, Random, RoundRobin} {
		got, err := Plan(Request{Self: "n1", Stages: []Stage{reads(wasm("a"), "x")}, Policy: policy,
			Nodes: []Node{{ID: "n1"}, holds("n2", 99, "x"), {ID: "n3"}}, Pins: map[string]mesh.NodeID{"a": "n3"}})
		if err != nil || got[0].Node != "n3" {
			t.Errorf("%s: %v, %v", policy, got, err)
		}
	}
}

func TestRoundRobinTakesEachNodeInTurn(t *testing.T) {
	stages := []Stage{wasm("a"), wasm("b"), wasm("c")}
	nodes := []Node{{ID: "n1"}, {ID: "n2"}, {ID: "n3"}}
	seen := map[mesh.NodeID]int{}
	for turn := range uint64(4) {
		plan, err := Plan(Request{Self: "n1", Stages: stages, Nodes: nodes, Policy: RoundRobin, Turn: turn})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range plan {
			seen[p.Node]++
		}
	}
	if seen["n1"] != 4 || seen["n2"] != 4 || seen["n3"] != 4 {
		t.Errorf("12 stages in turn over 3 nodes: %v", seen)
	}
}

// A plan of any request either is an error with a kind, or puts every stage
// on a live node that can run it; and the same seed makes the same plan.
func TestPlansKeepTheConstraints(t *testing.T) {
	for seed := range uint64(2000) {
		q := randomRequest(rand.New(rand.NewPCG(seed, 1)))
		q.Rand = rand.New(rand.NewPCG(seed, 2))
		plan, err := Plan(q)
		q.Rand = rand.New(rand.NewPCG(seed, 2))
		again, againErr := Plan(q)
		if !reflect.DeepEqual(plan, again) || (err == nil) != (againErr == nil) {
			t.Fatalf("seed %d: planned %v, then %v", seed, plan, again)
		}
		if err != nil {
			if kind := mesh.KindOf(err); kind != mesh.Unavailable && kind != mesh.Invalid {
				t.Fatalf("seed %d: %v", seed, err)
			}
			continue
		}
		checkPlan(t, seed, q, plan)
	}
}

func checkPlan(t *testing.T, seed uint64, q Request, plan []Placement) {
	t.Helper()
	p := planner{Request: &q}
	for i, placed := range plan {
		s := &q.Stages[i]
		if p.node(placed.Node) == nil || !canRun(s, p.node(placed.Node)) || placed.Why == "" {
			t.Fatalf("seed %d: stage %s on %q (%s)", seed, s.Name, placed.Node, placed.Why)
		}
		if pin, ok := q.Pins[s.Name]; ok && placed.Node != pin {
			t.Fatalf("seed %d: stage %s on %q, pinned to %q", seed, s.Name, placed.Node, pin)
		}
		for other := range q.Stages {
			if s.Colocate != "" && q.Stages[other].Colocate == s.Colocate && plan[other].Node != placed.Node {
				t.Fatalf("seed %d: group %s is on %q and %q", seed, s.Colocate, placed.Node, plan[other].Node)
			}
		}
	}
}

func randomRequest(r *rand.Rand) Request {
	names := []string{"a", "b", "c", "d", "e", "f"}
	ids := []mesh.NodeID{"n1", "n2", "n3", "n4"}
	q := Request{Self: "n1", Policy: []Policy{"", Locality, Random, RoundRobin}[r.IntN(4)], Turn: r.Uint64()}
	for _, id := range ids {
		if r.IntN(4) > 0 {
			n := holds(id, r.Int64N(3), names[:r.IntN(4)]...)
			n.Funcs, n.Load = warm(id, names[:r.IntN(6)]...).Funcs, r.Float64()*1.2
			n.Waiting, n.Places, n.Cooling = r.IntN(3), r.IntN(4), r.IntN(5) == 0
			n.RTT, n.Labels = time.Duration(r.IntN(3))*time.Millisecond, map[string]string{"zone": names[r.IntN(2)]}
			q.Nodes = append(q.Nodes, n)
		}
	}
	for i, name := range names[:1+r.IntN(5)] {
		s := reads(wasm(name), names[:r.IntN(3)]...)
		if r.IntN(3) == 0 {
			s.Func.Kind, s.Func.Hosts = mesh.Worker, ids[:r.IntN(5)]
		}
		if r.IntN(6) == 0 {
			s.Labels = map[string]string{"zone": names[r.IntN(3)]}
		}
		if r.IntN(4) == 0 {
			s.Colocate = names[r.IntN(2)]
		}
		if i > 0 && r.IntN(2) == 0 {
			s.Parents = []int{r.IntN(i)}
		}
		q.Stages = append(q.Stages, s)
	}
	if r.IntN(4) == 0 {
		q.Pins = map[string]mesh.NodeID{q.Stages[0].Name: ids[r.IntN(4)]}
	}
	return q
}

func BenchmarkPlanHere(b *testing.B) {
	q := Request{Self: "n1", Stages: []Stage{wasm("a")}, Nodes: []Node{{ID: "n1"}, {ID: "n2"}, {ID: "n3"}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Plan(q); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPlan16StagesOn100Nodes(b *testing.B) {
	q := Request{Self: "n0", Rand: rand.New(rand.NewPCG(1, 1))}
	for i := range 100 {
		q.Nodes = append(q.Nodes, holds(mesh.NodeID(rune('A'+i)), int64(i), "x"))
	}
	for i := range 16 {
		q.Stages = append(q.Stages, reads(wasm(string(rune('a'+i)), max(i-1, 0)), "x"))
	}
	q.Stages[0].Parents = nil
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Plan(q); err != nil {
			b.Fatal(err)
		}
	}
}
