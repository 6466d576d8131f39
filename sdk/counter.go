package sdk

import (
	"context"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// CounterHandle is access to a key of kind pncounter, which counts up and down.
type CounterHandle struct {
	client *Client
	name   string
}

// Counter gives a handle on a key of the client's namespace.
func Counter(c *Client, name string) CounterHandle { return CounterHandle{c, name} }

// Inc adds n, which may be negative.
func (h CounterHandle) Inc(ctx context.Context, n int64) error {
	_, err := h.client.Put(ctx, h.name, lattice.PNCounterKind, lattice.IncOp(n))
	return err
}

// Value reads the sum of all increments. A missing key is NotFound.
func (h CounterHandle) Value(ctx context.Context) (int64, error) {
	v, err := h.client.getKind(ctx, h.name, lattice.PNCounterKind)
	if err != nil {
		return 0, err
	}
	n, ok := v.Count()
	if !ok {
		return 0, mesh.Errorf(mesh.Internal, "get "+h.name, "%s has no count", v.Kind())
	}
	return n, nil
}
