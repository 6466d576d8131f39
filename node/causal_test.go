package node_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// steps are what a stage does, one after the other: "key" reads a register,
// "key=text" writes it, "key-" deletes it. It gives what it read, after what
// the stages before it did.
func steps(ctx context.Context, before fn.Variadic[[]string]) ([]string, error) {
	var all []string
	for _, list := range before {
		all = append(all, list...)
	}
	at := slices.Index(all, "|")
	todo, seen := all[:at], slices.Clone(all[at+1:])
	for _, step := range todo {
		key, text, writes := strings.Cut(step, "=")
		name, deletes := strings.CutSuffix(key, "-")
		switch {
		case writes:
			if err := fn.Put(ctx, key, text); err != nil {
				return nil, err
			}
		case deletes:
			if err := fn.Delete(ctx, name); err != nil {
				return nil, err
			}
		default:
			text, err := fn.Get[string](ctx, key)
			if errors.Is(err, mesh.NotFound) {
				text, err = "nothing", nil
			}
			if err != nil {
				return nil, err
			}
			seen = append(seen, text)
		}
	}
	return seen, nil
}

// doing is a chain of stages, each of which does some steps at a node.
type doing struct {
	at    int
	steps string
}

// chainOf is a DAG of so many stages.
func chainOf(stages int) *mesh.DAG {
	d := &mesh.DAG{Namespace: mesh.DefaultNamespace, Name: fmt.Sprint("chain", stages)}
	for i := range stages {
		d.Stages = append(d.Stages, mesh.Stage{Name: fmt.Sprint("s", i), Func: mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: "steps"}})
		if i > 0 {
			d.Edges = append(d.Edges, mesh.Edge{From: fmt.Sprint("s", i-1), To: fmt.Sprint("s", i)})
		}
	}
	return d
}

// does makes a run, and gives what its stages read.
func does(t *testing.T, m *simmesh.Mesh, level mesh.Consistency, chain ...doing) string {
	t.Helper()
	place, args := map[string]mesh.NodeID{}, sdk.Args{}
	for i, stage := range chain {
		name := fmt.Sprint("s", i)
		place[name] = m.Node(stage.at).ID()
		args[name] = []any{append(strings.Fields(stage.steps), "|")}
	}
	handle := at(m, chain[0].at).DAG(fmt.Sprint("chain", len(chain)))
	handle.Options.Place, handle.Options.Consistency = place, level
	results, err := handle.Call(within(t, time.Minute), args)
	if err != nil {
		t.Fatalf("%v at %v: %v", chain, level, err)
	}
	seen, err := sdk.Only[[]string](results)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(seen, " ")
}

func TestLevelsOrderByCauseWhereNodesOwnAllKeys(t *testing.T)  { testOrderByCause(t, 3) }
func TestLevelsOrderByCauseWhereNodesOwnSomeKeys(t *testing.T) { testOrderByCause(t, 5) }

// What node 0 writes reaches all but node 1 late.
func testOrderByCause(t *testing.T, nodes int) {
	options := simmesh.Options{Nodes: nodes, Provide: func(int) []node.Option { return []node.Option{node.Handle("steps", steps)} }}
	simulate(t, options, func(t *testing.T, m *simmesh.Mesh) {
		for stages := range 3 {
			create(t, at(m, 0), chainOf(1+stages))
		}
		for _, level := range mesh.Levels() {
			does(t, m, level, doing{0, "photo=old comment=none price=20"})
			does(t, m, level, doing{0, "warm=1"}, doing{1, "warm"}, doing{2, "warm"})
			time.Sleep(5 * time.Second) // all is everywhere, and compared
			slow(m, 300*time.Millisecond)
			// Across runs: the comment depends on the photo.
			does(t, m, level, doing{0, "photo=new"})
			does(t, m, level, doing{1, "photo comment=nice"})
			seen := does(t, m, level, doing{2, "comment photo"})
			if level >= mesh.CausalCut && seen == "nice old" {
				t.Errorf("%v: the comment without the photo", level)
			}
			if nodes == 3 && level <= mesh.CausalKey && seen != "nice old" {
				t.Errorf("%v: read %q: expected the anomaly that stronger levels prevent", level, seen)
			}
			// From stage to stage of one run.
			seen = does(t, m, level, doing{1, "price=30"}, doing{0, "price price=40"}, doing{2, "price"})
			if ordered := level != mesh.Eventual && level != mesh.CausalCut; ordered && seen != "30 40" {
				t.Errorf("%v: the price is read as %q: want 30 40", level, seen)
			}
			// A delete is a write.
			does(t, m, level, doing{0, "photo-"})
			does(t, m, level, doing{1, "photo comment=gone"})
			if seen = does(t, m, level, doing{2, "comment photo"}); level >= mesh.CausalCut && seen == "gone new" {
				t.Errorf("%v: the photo after the comment that it is gone", level)
			}
			slow(m, 0)
		}
	})
}

// slow lets what node 0 sends all but node 1 take so much longer.
func slow(m *simmesh.Mesh, by time.Duration) {
	for other := 2; other < m.Len(); other++ {
		m.Slow(0, other, by)
	}
}

// A write of a run wins over what the run had read, also where the node that
// makes it has a clock that is behind, and has not heard of that yet.
func TestWritesComeAfterWhatTheirRunHasSeen(t *testing.T) {
	options := simmesh.Options{Nodes: 3, Provide: func(int) []node.Option { return []node.Option{node.Handle("steps", steps)} }}
	options.Configure = func(i int, cfg *node.Config) {
		by := []time.Duration{20 * time.Second, -20 * time.Second, 0}[i]
		cfg.Now = func() time.Time { return time.Now().Add(by) }
	}
	simulate(t, options, func(t *testing.T, m *simmesh.Mesh) {
		for stages := range 3 {
			create(t, at(m, 0), chainOf(1+stages))
		}
		for _, level := range mesh.Levels() {
			if level == mesh.Repeatable {
				continue // promises nothing of what others see
			}
			key := level.String()
			does(t, m, level, doing{1, key + "=old"}, doing{0, key}, doing{2, key})
			time.Sleep(5 * time.Second)
			m.Slow(0, 1, 300*time.Millisecond)
			does(t, m, level, doing{0, key + "=first"})
			does(t, m, level, doing{2, key}, doing{1, key + "=second"})
			m.Slow(0, 1, 0)
			time.Sleep(5 * time.Second)
			want := "second"
			if level == mesh.Eventual || level == mesh.CausalCut { // the stage that writes has read nothing
				want = "first"
			}
			for i := range 3 {
				if got := does(t, m, mesh.Eventual, doing{i, key}); got != want {
					t.Errorf("%v: node %d reads %s, want %s", level, i, got, want)
				}
			}
		}
	})
}
