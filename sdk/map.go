package sdk

import (
	"context"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// MapHandle is typed access to a key of kind or-map whose fields are
// registers: of a put and a drop that do not know of each other, the put wins.
type MapHandle[T any] struct {
	client *Client
	name   string
}

// Map gives a handle on a key of the client's namespace.
func Map[T any](c *Client, name string) MapHandle[T] { return MapHandle[T]{c, name} }

// Put writes a field.
func (m MapHandle[T]) Put(ctx context.Context, field string, v T) error {
	payload, err := toBytes(v)
	if err != nil {
		return mesh.AsError("put "+m.name, err)
	}
	_, err = m.client.Put(ctx, m.name, lattice.ORMapKind, lattice.PutOp(field, lattice.LWWKind, lattice.SetOp(payload)))
	return err
}

// Drop takes a field away; a missing one is no error.
func (m MapHandle[T]) Drop(ctx context.Context, field string) error {
	_, err := m.client.Put(ctx, m.name, lattice.ORMapKind, lattice.DropOp(field))
	return err
}

// Get reads a field. A missing key or field is NotFound.
func (m MapHandle[T]) Get(ctx context.Context, field string) (T, error) {
	var none T
	v, err := m.client.getKind(ctx, m.name, lattice.ORMapKind)
	if err != nil {
		return none, err
	}
	register, ok := v.Field(field)
	if !ok {
		return none, mesh.Errorf(mesh.NotFound, "get "+m.name, "no field %q", field)
	}
	return m.decode(field, register)
}

// All reads all fields. A missing key is NotFound.
func (m MapHandle[T]) All(ctx context.Context) (map[string]T, error) {
	v, err := m.client.getKind(ctx, m.name, lattice.ORMapKind)
	if err != nil {
		return nil, err
	}
	all := make(map[string]T, v.Len())
	for field, register := range v.Fields() {
		if all[field], err = m.decode(field, register); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (m MapHandle[T]) decode(field string, register lattice.Value) (T, error) {
	var none T
	payload, ok := register.Payload()
	if !ok {
		return none, mesh.Errorf(mesh.KindMismatch, "get "+m.name, "field %q holds %s: expected %s", field, register.Kind(), lattice.LWWKind)
	}
	value, err := fromBytes[T](payload)
	if err != nil {
		return none, mesh.AsError("get "+m.name, err)
	}
	return value, nil
}
