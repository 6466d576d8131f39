package sdk

import (
	"context"
	"iter"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// SetHandle is typed access to a key of kind set, which only grows.
type SetHandle[T any] struct{ elements[T] }

// Set gives a handle on a key of the client's namespace.
func Set[T any](c *Client, name string) SetHandle[T] {
	return SetHandle[T]{elements[T]{c, name, lattice.SetKind}}
}

// ORSetHandle is typed access to a key of kind or-set: of an addition and a
// removal that do not know of each other, the addition wins.
type ORSetHandle[T any] struct{ elements[T] }

// ORSet gives a handle on a key of the client's namespace.
func ORSet[T any](c *Client, name string) ORSetHandle[T] {
	return ORSetHandle[T]{elements[T]{c, name, lattice.ORSetKind}}
}

// Remove takes elements out; those that are not in are no error.
func (s ORSetHandle[T]) Remove(ctx context.Context, members ...T) error {
	return s.put(ctx, lattice.RemoveOp, members)
}

// elements is what the sets have in common.
type elements[T any] struct {
	client *Client
	name   string
	kind   lattice.Kind
}

// Add puts elements in.
func (e elements[T]) Add(ctx context.Context, members ...T) error {
	return e.put(ctx, lattice.AddOp, members)
}

// All reads the elements, in the order of their encoded bytes. A missing key
// is NotFound.
func (e elements[T]) All(ctx context.Context) ([]T, error) {
	v, err := e.client.getKind(ctx, e.name, e.kind)
	if err != nil {
		return nil, err
	}
	members := make([]T, 0, v.Len())
	for element := range v.Elements() {
		member, err := fromBytes[T]([]byte(element))
		if err != nil {
			return nil, mesh.AsError("get "+e.name, err)
		}
		members = append(members, member)
	}
	return members, nil
}

// Contains reports whether a member is in. What it costs does not depend on
// the set's size. A missing key is NotFound.
func (e elements[T]) Contains(ctx context.Context, member T) (bool, error) {
	b, err := toBytes(member)
	if err != nil {
		return false, mesh.AsError("get "+e.name, err)
	}
	v, err := e.client.Element(ctx, e.name, string(b))
	if err := ofKind(e.name, v, e.kind, err); err != nil {
		return false, err
	}
	return v.Contains(string(b)), nil
}

// Each reads the elements a page at a time, in no order: for sets that are
// too large for All. What is added or removed meanwhile may be given or not.
// An error, such as NotFound, ends it.
func (e elements[T]) Each(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		for page, err := range e.client.Pages(ctx, e.name) {
			if err := ofKind(e.name, page, e.kind, err); err != nil {
				yield(none, err)
				return
			}
			for element := range page.Elements() {
				member, err := fromBytes[T]([]byte(element))
				if err != nil {
					yield(none, mesh.AsError("get "+e.name, err))
					return
				}
				if !yield(member, nil) {
					return
				}
			}
		}
	}
}

func (e elements[T]) put(ctx context.Context, op func(...string) lattice.Op, members []T) error {
	encoded := make([]string, 0, len(members))
	for _, member := range members {
		b, err := toBytes(member)
		if err != nil {
			return mesh.AsError("put "+e.name, err)
		}
		encoded = append(encoded, string(b))
	}
	_, err := e.client.Put(ctx, e.name, e.kind, op(encoded...))
	return err
}
