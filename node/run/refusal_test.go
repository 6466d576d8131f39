package run

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

// visited notes on which nodes a function runs, and gives its node's name.
type visited struct {
	mu    sync.Mutex
	nodes []mesh.NodeID
	works []Invocation
}

func (f *visited) run(_ context.Context, v Invocation) (mesh.Value, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nodes, f.works = append(f.nodes, v.ID.Node), append(f.works, v)
	return text(string(v.ID.Node)), nil
}

// all lists the nodes on which it ran.
func (f *visited) all() []mesh.NodeID {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.nodes)
}

// batch is run for what batches are called with.
func (f *visited) batch(ctx context.Context, v Invocation) (mesh.Value, error) {
	lists, err := codec.Elements(v.Args[0])
	if err != nil {
		return mesh.Value{}, err
	}
	result, err := f.run(ctx, v)
	results := slices.Repeat([]mesh.Value{result}, len(lists))
	if err != nil {
		return mesh.Value{}, err
	}
	return codec.Array(results)
}

func (c *cluster) fill(nodes ...mesh.NodeID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, node := range nodes {
		c.full[node] = true
	}
}

func TestWhatANodeHasNoRoomForRunsOnAnother(t *testing.T) {
	for name, o := range map[string]*mesh.StageOptions{
		"plain":   nil,
		"timeout": {Timeout: time.Second},
		"retry":   {Retry: mesh.Retry{Attempts: 2}},
		"hedge":   {Hedge: mesh.Hedge{On: true, After: time.Second}},
		"map":     {Map: mesh.Map{Parallel: 2}},
		"batch":   {Batch: mesh.Batch{Size: 2, Within: time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, 3, 1, func(t *testing.T, c *cluster) {
				f := &visited{}
				c.define("f", f.run)
				if name == "batch" {
					c.define("f", f.batch)
				}
				c.fill("n1", "n2")
				q := Request{Func: fnRef("f"), Args: []Arg{jsonArg("[1,2]")}}
				q.Stage = o
				c.declare("d", []string{"f"})
				if o != nil {
					c.dags["d"].Stages[0].StageOptions = *o
				}
				for _, q := range []Request{q, dagCall("d", map[string][]Arg{"f": q.Args})} {
					if _, err := c.nodes["n1"].Call(t.Context(), q); err != nil {
						t.Errorf("%s: %v", q.target(), err)
					}
				}
				if len(f.nodes) < 2 || slices.ContainsFunc(f.nodes, func(n mesh.NodeID) bool { return n != "n3" }) {
					t.Errorf("it ran on %v: expected n3, which has room", f.nodes)
				}
			})
		})
	}
}

// The refusal comes from another node than the coordinator, in the midst of a run.
func TestAStageThatItsNodeRefusesRunsOnAnother(t *testing.T) {
	simulate(t, 4, 1, func(t *testing.T, c *cluster) {
		f := &visited{}
		c.define("a", term, "n1")
		c.define("f", f.run, "n2", "n3")
		c.define("z", term, "n4")
		c.declare("d", []string{"a", "f", "z"}, "a:f", "f:z")
		for _, full := range []mesh.NodeID{"n2", "n3"} {
			c.full = map[mesh.NodeID]bool{full: true}
			for range 4 {
				reply, err := c.nodes["n1"].Call(t.Context(), dagCall("d", nil))
				if got := one(t, reply, err); got == "z("+string(full)+")" {
					t.Errorf("the result is %s, and %s is full", got, string(full))
				}
			}
		}
	})
}

func TestWhatNoNodeHasRoomForIsOverloaded(t *testing.T) {
	simulate(t, 6, 1, func(t *testing.T, c *cluster) {
		f := &visited{}
		c.define("f", f.run)
		c.fill(c.ids...)
		_, err := c.nodes["n1"].Call(t.Context(), callOf("f"))
		if !errors.Is(err, mesh.Overloaded) || mesh.RetryAfter(err) != 20*time.Millisecond {
			t.Errorf("the error is %v: expected Overloaded that says when to come again", err)
		}
		if asked := len(c.placed); asked != maxPlaces {
			t.Errorf("it was placed %d times: expected %d", asked, maxPlaces)
		}
	})
}

func TestWhatIsBoundToItsNodeIsNotPlacedAnew(t *testing.T) {
	pinned := callOf("f")
	pinned.Place = map[string]mesh.NodeID{"f": "n2"}
	here := callOf("f")
	here.Place = map[string]mesh.NodeID{"f": "n1"}
	for name, q := range map[string]Request{
		"pinned": pinned, "pinned here": here, "group": with(callOf("f"), mesh.StageOptions{Colocate: "g"}),
		"mapped group": with(callOf("f", "x"), mesh.StageOptions{Colocate: "g", Map: mesh.Map{Parallel: 1}, Timeout: time.Second}),
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, 3, 1, func(t *testing.T, c *cluster) {
				f := &visited{}
				c.define("f", f.run)
				c.fill("n1", "n2")
				q.Args = []Arg{jsonArg("[1]")}
				q.Timeout = time.Second
				if _, err := c.nodes["n1"].Call(t.Context(), q); !errors.Is(err, mesh.Overloaded) && !errors.Is(err, mesh.DeadlineExceeded) {
					t.Errorf("the error is %v", err)
				}
				if len(f.nodes) > 0 {
					t.Errorf("it ran on %v", f.nodes)
				}
			})
		})
	}
}

// The node that took what another refused dies: what it may have begun is done
// again, as the same work.
func TestWhatWasPlacedAnewSurvivesADeath(t *testing.T) {
	simulate(t, 3, 1, func(t *testing.T, c *cluster) {
		f := &visited{}
		c.define("f", func(ctx context.Context, v Invocation) (mesh.Value, error) {
			result, err := f.run(ctx, v)
			if len(f.all()) == 1 {
				pause(ctx, 5*time.Second)
			}
			return result, err
		})
		c.fill("n1")
		answer := make(chan string, 1)
		go func() {
			reply, err := c.nodes["n1"].Call(t.Context(), callOf("f"))
			answer <- one(t, reply, err)
		}()
		<-time.After(time.Second)
		c.kill(f.all()[0])
		if got := <-answer; got == string(f.all()[0]) || len(f.works) != 2 {
			t.Errorf("the result is of %s, after %d executions", got, len(f.works))
		}
		if a, b := f.works[0].Work, f.works[1].Work; a.ID != b.ID || a.Named() && b.Age() == 0 {
			t.Errorf("the works are %+v and %+v", a, b)
		}
		waitForDeaths()
	})
}
