package sdk

import (
	"context"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

// RegisterHandle is typed access to a key of kind lww: one value, of which
// the last write stays.
type RegisterHandle[T any] struct {
	client *Client
	name   string
}

// Register gives a handle on a key of the client's namespace.
func Register[T any](c *Client, name string) RegisterHandle[T] { return RegisterHandle[T]{c, name} }

// Get reads the value. A missing key is NotFound, one of another kind
// KindMismatch, a value that does not fit T Invalid.
func (r RegisterHandle[T]) Get(ctx context.Context) (T, error) {
	var none T
	v, err := r.client.getKind(ctx, r.name, lattice.LWWKind)
	if err != nil {
		return none, err
	}
	payload, ok := v.Payload()
	if !ok {
		return none, mesh.Errorf(mesh.NotFound, "get "+r.name, "the register was never written")
	}
	return fromBytes[T](payload)
}

// Put writes the value.
func (r RegisterHandle[T]) Put(ctx context.Context, v T) error {
	payload, err := toBytes(v)
	if err != nil {
		return mesh.AsError("put "+r.name, err)
	}
	_, err = r.client.Put(ctx, r.name, lattice.LWWKind, lattice.SetOp(payload))
	return err
}

// getKind reads a key that must be of one of the kinds.
func (c *Client) getKind(ctx context.Context, name string, kind lattice.Kind) (lattice.Value, error) {
	v, err := c.Get(ctx, name)
	return v, ofKind(name, v, kind, err)
}

// ofKind gives a KindMismatch error unless v, if it was read, is of the kind that a handle expects.
func ofKind(name string, v lattice.Value, kind lattice.Kind, err error) error {
	if err == nil && v.Kind() != kind {
		return mesh.Errorf(mesh.KindMismatch, "get "+name, "the key holds %s: expected %s", v.Kind(), kind)
	}
	return err
}

// toBytes gives v in the form in which lattices hold payloads and elements.
func toBytes(v any) ([]byte, error) {
	encoded, err := codec.Encode(v)
	if err != nil {
		return nil, err
	}
	return encoded.AppendBinary(nil), nil
}

// fromBytes reads what toBytes gives.
func fromBytes[T any](b []byte) (T, error) {
	v, err := mesh.DecodeValue(b)
	if err != nil {
		var none T
		return none, err
	}
	return decode[T](v)
}
