package meshtest_test

import (
	"context"
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
	"github.com/virga-mesh/virga/sdk/meshtest"
)

// TestInvoicesSayWhatWasQuoted has two stages, on two nodes, read the price of
// a ticket, while a client raises it. The runs ask for repeatable reads, and
// the history of the test is held against that.
func TestInvoicesSayWhatWasQuoted(t *testing.T) {
	var h meshtest.History
	m := meshtest.New(t, 2,
		meshtest.Handle("quote", func(ctx context.Context, _ fn.None) (price string, err error) {
			return price, h.Get(ctx, "price", &price)
		}),
		meshtest.Handle("invoice", func(ctx context.Context, quoted string) (string, error) {
			var price string
			if err := h.Get(ctx, "price", &price); err != nil {
				return "", err
			}
			return quoted + "/" + price, h.Put(ctx, "invoice", "invoice of "+fn.ID(ctx).Run.String())
		}),
	)
	order, err := sdk.NewDAG("order").Stage("quote", "quote").Stage("invoice", "invoice").Edge("quote", "invoice").Build()
	if err != nil {
		t.Fatal(err)
	}
	client := m.Dial(t)
	if err := client.CreateDAG(t.Context(), order); err != nil {
		t.Fatal(err)
	}
	if err := h.Order(order); err != nil {
		t.Fatal(err)
	}
	clerk, price := h.Client("clerk", m.Client(1)), 0
	raise := func() error {
		price++
		return clerk.Put(t.Context(), "price", fmt.Sprint(price))
	}
	if err := raise(); err != nil { // the first write, too, is in the history
		t.Fatal(err)
	}
	orders := client.DAG("order")
	orders.Options = sdk.CallOptions{
		Consistency: mesh.Repeatable,
		Place:       map[string]mesh.NodeID{"quote": m.ID(0), "invoice": m.ID(1)},
	}
	for range 20 {
		var both errgroup.Group
		both.Go(raise)
		both.Go(func() error {
			_, err := orders.Call(t.Context(), sdk.Args{})
			return err
		})
		if err := both.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	h.Require(t, mesh.Repeatable)
}
