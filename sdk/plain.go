package sdk

import (
	"context"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn"
)

// Put puts a Go value under a key plainly: a map with values struct{}, which
// is how Go writes sets, adds its keys to a set; all else sets a register, of
// which the last write stays. The key is made if it is missing; one of
// another kind is KindMismatch. Values that merge otherwise have handles of
// their own: Register, ORSet and their like.
func Put(ctx context.Context, c *Client, name string, v any) (mesh.Ack, error) {
	kind, op, err := fn.PutOp(v)
	if err != nil {
		return mesh.Ack{}, mesh.AsError("put "+name, err)
	}
	return c.Put(ctx, name, kind, op)
}

// Get reads a key of any kind as a Go value: a register as what was put, a
// set as a slice or a map with values struct{}, a counter as a number;
// fn.Plain lists what each kind gives. A missing key is NotFound, what does
// not fit T Invalid. Of several concurrent values it gives one; Client.Get has all.
func Get[T any](ctx context.Context, c *Client, name string) (T, error) {
	var value, none T
	state, err := c.Get(ctx, name)
	if err != nil {
		return none, err
	}
	if err := fn.DecodePlain(state, &value); err != nil {
		return none, mesh.Errorf(mesh.KindOf(err), "get "+name, "%s", mesh.AsError("", err).Text())
	}
	return value, nil
}
