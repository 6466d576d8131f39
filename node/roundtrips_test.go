package node_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/sim"
	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// roundTrips are functions that read a key and tell how long that took: under
// virtual time that is the network's delays, and nothing else.
type roundTrips struct {
	m        *simmesh.Mesh
	versions int
}

const (
	oneWay     = 10 * time.Millisecond
	roundTrip  = 2 * oneWay
	tripStages = 5
)

// change has a client, which has nothing to do with the run, write the key. All nodes see it.
func (r *roundTrips) change(ctx context.Context) error {
	r.versions++
	if err := sdk.Register[string](at(r.m, 0), "k").Put(ctx, fmt.Sprint("v", r.versions)); err != nil {
		return err
	}
	time.Sleep(10 * roundTrip)
	return nil
}

func (r *roundTrips) functions() []node.Option {
	handle := func(name string, before, after func(context.Context) error) node.Option {
		return node.Handle(name, func(ctx context.Context, took []time.Duration) ([]time.Duration, error) {
			if err := before(ctx); err != nil {
				return nil, err
			}
			began := time.Now()
			if _, err := fn.Get[string](ctx, "k"); err != nil {
				return nil, err
			}
			return append(took, time.Since(began)), after(ctx)
		})
	}
	none := func(context.Context) error { return nil }
	return []node.Option{
		handle("quiet", none, none),
		handle("others-write", r.change, none),
		handle("stages-write", none, func(ctx context.Context) error {
			r.versions++
			return fn.Put(ctx, "k", fmt.Sprint("v", r.versions))
		}),
	}
}

// run makes a run of stages that are each on the next node, and tells how long
// it took, and the reads of each stage.
func (r *roundTrips) run(t *testing.T, function string, level mesh.Consistency) (all time.Duration, reads []time.Duration) {
	t.Helper()
	handle := at(r.m, 0).DAG(function)
	handle.Options.Consistency, handle.Options.Place = level, map[string]mesh.NodeID{}
	for i := range tripStages {
		handle.Options.Place[fmt.Sprint("s", i)] = r.m.Node((i + 1) % r.m.Len()).ID()
	}
	began := time.Now()
	results, err := handle.Call(within(t, time.Minute), sdk.Args{"s0": {[]time.Duration{}}})
	all = time.Since(began)
	if err == nil {
		reads, err = sdk.Only[[]time.Duration](results)
	}
	if err != nil || len(reads) != tripStages {
		t.Fatalf("%s at %v: %d reads, %v", function, level, len(reads), err)
	}
	return all, reads
}

func TestAStageNeedsAtMostOneMoreRoundTripToReadWhereNodesOwnAllKeys(t *testing.T) {
	testRoundTrips(t, 3)
}

func TestAStageNeedsAtMostOneMoreRoundTripToReadWhereNodesOwnSomeKeys(t *testing.T) {
	testRoundTrips(t, 5)
}

func testRoundTrips(t *testing.T, nodes int) {
	r := &roundTrips{}
	options := simmesh.Options{
		Nodes: nodes, Network: sim.NewNetwork(1, sim.Conditions{Delay: oneWay}),
		Provide: func(int) []node.Option { return r.functions() },
	}
	simulate(t, options, func(t *testing.T, m *simmesh.Mesh) {
		r.m = m
		if err := r.change(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, function := range []string{"quiet", "others-write", "stages-write"} {
			d := chainOf(tripStages)
			d.Name = function
			for i := range d.Stages {
				d.Stages[i].Func.Name = function
			}
			create(t, at(m, 0), d)
			for _, level := range mesh.Levels() {
				r.run(t, function, level) // nodes know the DAG, have the key, and have compared what they hold
			}
			least, reads := r.run(t, function, mesh.Eventual)
			for _, level := range mesh.Levels() {
				all, more := r.run(t, function, level)
				for i := range more {
					if more[i] -= reads[i]; more[i] > roundTrip {
						t.Errorf("%s at %v: stage %d needs %v more to read than at eventual: expected one round trip, %v, at most", function, level, i, more[i], roundTrip)
					}
				}
				if beyond := all - least; function == "quiet" && beyond > tripStages*roundTrip {
					t.Errorf("%s at %v: %v more than at eventual: expected a round trip for each of %d stages at most", function, level, beyond, tripStages)
				}
				t.Logf("%s at %v: a round trip is %v; the run takes %v more than at eventual, the reads of its stages %v", function, level, roundTrip, all-least, more)
			}
		}
	})
}
