package run

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/virga-mesh/virga/mesh"
)

// graph is what all attempts of a run share: its stages, and how results
// flow between them. It does not change once it is linked, but for the
// encoding that is kept.
type graph struct {
	stages []stage
	sinks  []int // in the order of declaration
	single bool  // a function without a DAG: its errors name no stage
	placed sync.Once
	places []mesh.Place
	sent   atomic.Pointer[sentPlan]
}

// stage is a stage with what it receives and whom it feeds.
//
// Its inputs have slots: 0 holds the call's own arguments, n the result of
// its parent n-1. A stage with neither parents nor arguments waits for empty
// arguments: they start it.
type stage struct {
	name     string
	fn       mesh.FuncInfo // at the coordinator; elsewhere its Ref alone
	options  mesh.StageOptions
	pinned   bool             // by the caller, to its node
	parents  []int            // in edge order
	when     []mesh.Condition // by parent, of the edge from it; nil where none has one
	hasArgs  bool
	children []port
	branches bool // an edge that leaves it has a condition
}

// port is an input of a stage.
type port struct{ stage, input int }

// inputs is how many inputs the stage waits for.
func (s *stage) inputs() int {
	if s.hasArgs {
		return len(s.parents) + 1
	}
	return len(s.parents)
}

func (s *stage) sink() bool { return len(s.children) == 0 }

// anyOf reports whether the stage runs for each of its parents' results alone.
func (s *stage) anyOf() bool { return s.options.Any != nil }

// place says what of the run is executed beside a stage.
func (g *graph) place(stage int) mesh.Place {
	g.placed.Do(func() { g.places = g.placesOfStages() })
	return g.places[stage]
}

// placesOfStages is place for all. Where results may be dropped, stages that nobody waits
// for may be executed beside any other: nothing is sure.
func (g *graph) placesOfStages() []mesh.Place {
	n, places := len(g.stages), make([]mesh.Place, len(g.stages))
	if g.drops() || n > maxPlaced {
		return places
	}
	before, after := make([]int, n), make([]int, n) // how many stages come before each, and after it
	seen := make([]bool, n)
	var visit func(int) int
	visit = func(at int) (count int) {
		for _, child := range g.stages[at].children {
			if !seen[child.stage] {
				seen[child.stage] = true
				before[child.stage]++
				count += 1 + visit(child.stage)
			}
		}
		return count
	}
	for i := range g.stages {
		clear(seen)
		after[i] = visit(i)
	}
	for i := range places {
		switch {
		case before[i]+after[i] < n-1:
			places[i] = mesh.Beside
		case after[i] > 0:
			places[i] = mesh.Alone
		default:
			places[i] = mesh.Last
		}
	}
	return places
}

// parts reports whether there are several stages that need not ask the home what
// they read: then the run has to be verified in the end.
func (g *graph) parts() bool { return len(g.stages) > 1 && g.place(0) != mesh.Somewhere }

// maxPlaced bounds what that takes: of larger DAGs all stages ask the home.
const maxPlaced = 128

// drops reports whether something may be executed for the run whose result nobody takes.
func (g *graph) drops() bool {
	return slices.ContainsFunc(g.stages, func(s stage) bool { return s.anyOf() || s.options.Hedge.On })
}

// condition is that of the edge from the stage's parent n-1 (input n). It is
// zero for an edge that is always taken.
func (s *stage) condition(input int) mesh.Condition {
	if s.when == nil || input == 0 {
		return mesh.Condition{}
	}
	return s.when[input-1]
}

// link derives children and sinks from the parents. It refuses parents that
// are no stages, and cycles, whose stages would wait for ever.
func (g *graph) link() error {
	for i := range g.stages {
		for n, parent := range g.stages[i].parents {
			if parent < 0 || parent >= len(g.stages) {
				return mesh.Errorf(mesh.Invalid, "run", "stage %d has parent %d: expected less than %d", i, parent, len(g.stages))
			}
			from := &g.stages[parent]
			from.children = append(from.children, port{i, n + 1})
			from.branches = from.branches || !g.stages[i].condition(n+1).IsZero()
		}
	}
	for i := range g.stages {
		if g.stages[i].sink() {
			g.sinks = append(g.sinks, i)
		}
	}
	if !g.acyclic() {
		return mesh.Errorf(mesh.Invalid, "run", "the stages form a cycle")
	}
	return nil
}

// acyclic reports whether there is an order of the stages.
func (g *graph) acyclic() bool { return g.sorted() || len(g.order()) == len(g.stages) }

// order lists the stages, each after its parents: it peels off stages without
// parents (Kahn). Those of a cycle remain, and are not in it.
func (g *graph) order() []int {
	waiting := make([]int, len(g.stages))
	ready := make([]int, 0, len(g.stages))
	for i := range g.stages {
		if waiting[i] = len(g.stages[i].parents); waiting[i] == 0 {
			ready = append(ready, i)
		}
	}
	for next := 0; next < len(ready); next++ {
		for _, child := range g.stages[ready[next]].children {
			if waiting[child.stage]--; waiting[child.stage] == 0 {
				ready = append(ready, child.stage)
			}
		}
	}
	return ready
}

// sorted reports whether every stage comes after its parents.
func (g *graph) sorted() bool {
	for i := range g.stages {
		for _, parent := range g.stages[i].parents {
			if parent >= i {
				return false
			}
		}
	}
	return true
}

// sameShape reports whether results flow between the stages of both graphs alike.
func (g *graph) sameShape(other *graph) bool {
	return slices.EqualFunc(g.stages, other.stages, func(a, b stage) bool {
		return a.name == b.name && a.hasArgs == b.hasArgs && slices.Equal(a.parents, b.parents)
	})
}

// bound reports whether the stage has to be on its node and no other.
func (s *stage) bound() bool { return s.pinned || s.options.Colocate != "" }

// pinnedTo gives the graph with the stages that a caller bound to nodes. Other
// calls share the graph itself.
func (g *graph) pinnedTo(pins map[string]mesh.NodeID) *graph {
	if len(pins) == 0 {
		return g
	}
	own := &graph{stages: slices.Clone(g.stages), sinks: g.sinks, single: g.single}
	for i := range own.stages {
		_, own.stages[i].pinned = pins[own.stages[i].name]
	}
	return own
}

// newGraph gives the graph of a DAG. Its functions are yet to be resolved.
func newGraph(dag *mesh.DAG, args map[string][]Arg) (*graph, error) {
	g := &graph{stages: make([]stage, len(dag.Stages))}
	index := make(map[string]int, len(dag.Stages))
	for i, s := range dag.Stages {
		index[s.Name] = i
		g.stages[i] = stage{name: s.Name, fn: mesh.FuncInfo{Ref: s.Func}, options: s.StageOptions}
	}
	for name := range args {
		if _, declared := index[name]; !declared {
			return nil, mesh.Errorf(mesh.Invalid, "arguments", "stage %q is not declared by dag %s", name, dag.Name)
		}
	}
	for _, e := range dag.Edges {
		child := &g.stages[index[e.To]]
		child.parents = append(child.parents, index[e.From])
		if !e.When.IsZero() {
			child.when = append(child.when, make([]mesh.Condition, len(child.parents)-1-len(child.when))...)
			child.when = append(child.when, e.When)
		}
	}
	for i := range g.stages {
		s := &g.stages[i]
		s.hasArgs = len(s.parents) == 0 || len(args[s.name]) > 0
		if s.when != nil {
			s.when = append(s.when, make([]mesh.Condition, len(s.parents)-len(s.when))...)
		}
	}
	return g, g.link()
}

// singleGraph gives the graph of a function alone: one stage with its name.
func singleGraph(fn mesh.FuncInfo) *graph {
	return &graph{stages: []stage{{name: fn.Ref.Name, fn: fn, hasArgs: true}}, sinks: []int{0}, single: true}
}
