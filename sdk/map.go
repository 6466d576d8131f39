package sdk

import (
	"context"
	"iter"

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

// Get reads a field. What it costs does not depend on the map's size. A
// missing key or field is NotFound.
func (m MapHandle[T]) Get(ctx context.Context, field string) (T, error) {
	var none T
	v, err := m.client.Element(ctx, m.name, field)
	if err := ofKind(m.name, v, lattice.ORMapKind, err); err != nil {
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

// Field is one field of a map.
type Field[T any] struct {
	Name  string
	Value T
}

// Each reads the fields a page at a time, in no order: for maps that are too
// large for All. What is put or dropped meanwhile may be given or not. An
// error, such as NotFound, ends it.
func (m MapHandle[T]) Each(ctx context.Context) iter.Seq2[Field[T], error] {
	return func(yield func(Field[T], error) bool) {
		for page, err := range m.client.Pages(ctx, m.name) {
			if err := ofKind(m.name, page, lattice.ORMapKind, err); err != nil {
				yield(Field[T]{}, err)
				return
			}
			for name, register := range page.Fields() {
				value, err := m.decode(name, register)
				if !yield(Field[T]{name, value}, err) || err != nil {
					return
				}
			}
		}
	}
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
