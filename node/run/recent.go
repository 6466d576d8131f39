package run

import (
	"context"
	"slices"
	"sync"

	"github.com/virga-mesh/virga/mesh"
)

// Runs of one DAG have much in common, which is worked out once: its graph,
// and what the plans say that other nodes send with its hops.

// Bounds of what is remembered.
const (
	recentRuns     = 256
	recentPlanSize = 8 << 10 // bytes of the longest encoding
)

// recent remembers what was worked out lately. Beyond its bound something is
// forgotten, whatever it is. Its values do not change. It is safe for
// concurrent use.
type recent[K comparable, V any] struct {
	mu    sync.RWMutex
	known map[K]*V
}

func newRecent[K comparable, V any]() recent[K, V] { return recent[K, V]{known: map[K]*V{}} }

// get gives nil for what is not known.
func (r *recent[K, V]) get(key K) *V {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.known[key]
}

func (r *recent[K, V]) put(key K, value *V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for other := range r.known {
		if len(r.known) < recentRuns {
			break
		}
		delete(r.known, other)
	}
	r.known[key] = value
}

// graphOf gives the graph of a DAG that is called with arguments, with the
// functions that its stages have now.
func (r *Runs) graphOf(ctx context.Context, dag *mesh.DAG, args map[string][]Arg) (*graph, error) {
	known := r.graphs.get(dag)
	if known == nil || !known.suits(args) {
		g, err := newGraph(dag, args)
		if err != nil {
			return nil, err
		}
		return r.remembered(ctx, dag, g, known)
	}
	return r.remembered(ctx, dag, known, known)
}

// remembered resolves the functions of a graph, and remembers the result
// instead of what was known of the DAG.
func (r *Runs) remembered(ctx context.Context, dag *mesh.DAG, g, known *graph) (*graph, error) {
	g, err := r.resolve(ctx, dag, g)
	if err == nil && g != known {
		r.graphs.put(dag, g)
	}
	return g, err
}

// resolve looks up the stages' functions. It gives the same graph where that
// has them already.
func (r *Runs) resolve(ctx context.Context, dag *mesh.DAG, g *graph) (*graph, error) {
	resolved := g
	for i := range g.stages {
		fn, err := r.cfg.Catalog.Function(ctx, dag.Stages[i].Func)
		if err != nil {
			failure := *mesh.AsError("", err)
			failure.Stage = g.stages[i].name
			return nil, &failure
		}
		if fn.Equal(&resolved.stages[i].fn) {
			continue
		}
		if resolved == g {
			resolved = &graph{stages: slices.Clone(g.stages), sinks: g.sinks}
		}
		resolved.stages[i].fn = fn
	}
	return resolved, nil
}

// suits reports whether a call with the arguments has this graph.
func (g *graph) suits(args map[string][]Arg) bool {
	given := 0
	for i := range g.stages {
		list, ok := args[g.stages[i].name]
		if ok {
			given++
		}
		if g.stages[i].hasArgs != (len(g.stages[i].parents) == 0 || len(list) > 0) {
			return false
		}
	}
	return given == len(args)
}
