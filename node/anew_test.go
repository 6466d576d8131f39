package node_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// seats is what a stage has read of how many seats are taken, and in which generation.
type seats struct {
	Taken      int
	Generation uint32
}

// Two stages beside one another read a key between which others write it. The run
// begins anew, reads one version, and what it does it does once.
func TestARepeatableRunThatReadTwoVersionsBeginsAnewAndWritesOnce(t *testing.T) {
	var m *simmesh.Mesh
	leftHasRead := make(chan struct{}, 2)
	var others atomic.Int32
	look := func(ctx context.Context) (seats, error) {
		taken, err := fn.Get[int](ctx, "seats")
		return seats{taken, fn.ID(ctx).Generation()}, err
	}
	book := func(ctx context.Context) (seats, error) {
		s, err := look(ctx)
		if err == nil {
			err = fn.Put(ctx, "seats", s.Taken+1)
		}
		if err == nil {
			err = fn.Inc(ctx, "bookings", 1)
		}
		return s, err
	}
	options := simmesh.Options{Nodes: 3, Provide: natives(
		node.Handle("left", func(ctx context.Context, _ fn.Variadic[any]) (seats, error) {
			s, err := look(ctx)
			leftHasRead <- struct{}{}
			return s, err
		}),
		node.Handle("right", func(ctx context.Context, _ fn.Variadic[any]) (seats, error) {
			select {
			case <-leftHasRead:
			case <-ctx.Done():
				return seats{}, ctx.Err()
			}
			if others.Add(1) == 1 { // by a client, which has nothing to do with the run
				all := at(m, 0).WithState(sdk.StateOptions{WriteQuorum: 3})
				if err := sdk.Register[int](all, "seats").Put(mesh.InSession(ctx, mesh.Session{}), 10); err != nil {
					return seats{}, err
				}
			}
			return book(ctx)
		}),
		node.Handle("end", func(ctx context.Context, parents fn.Variadic[seats]) ([]seats, error) {
			s, err := look(ctx)
			return append(slices.Clone(parents), s), err
		}),
	)}
	m = start(t, options)
	put := sdk.Register[int](at(m, 0).WithState(sdk.StateOptions{WriteQuorum: 3}), "seats")
	if err := put.Put(within(t, time.Minute), 1); err != nil {
		t.Fatal(err)
	}
	create(t, at(m, 0), dag("d", "left right end", "left:end right:end"))
	handle := at(m, 0).DAG("d")
	handle.Options.Consistency = mesh.Repeatable
	handle.Options.Place = map[string]mesh.NodeID{"left": m.Node(1).ID(), "right": m.Node(2).ID(), "end": m.Node(0).ID()}
	results, err := handle.Call(within(t, time.Minute), nil)
	if err != nil {
		t.Fatal(err)
	}
	seen, err := sdk.Only[[]seats](results)
	if err != nil || len(seen) != 3 {
		t.Fatal(seen, err)
	}
	if seen[0].Taken != seen[1].Taken || seen[2].Taken != seen[1].Taken+1 || seen[0].Generation != 1 || others.Load() != 2 {
		t.Errorf("left, right and the stage after them read %+v, and right was executed %d times: expected one version in generation 1, and then what was written", seen, others.Load())
	}
	two := at(m, 1).WithState(sdk.StateOptions{ReadQuorum: 2})
	taken, err := sdk.Register[int](two, "seats").Get(within(t, time.Minute))
	wants(t, "seats", taken, err, seen[1].Taken+1)
	bookings, err := sdk.Counter(two, "bookings").Value(within(t, time.Minute))
	wants(t, "bookings", bookings, err, 1)
}
