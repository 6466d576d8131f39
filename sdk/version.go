package sdk

import (
	"context"
	"errors"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Version tells one content of a register from all others that it has had:
// another write makes another version, though of the same value. A touch does
// not. It is a short text that means nothing else.
type Version string

// Absent is the version of a key that does not exist.
const Absent Version = ""

// GetVersioned reads a register (of kind lww, mv-register or causal) and the
// version for CompareAndSet. A missing key is NotFound, and its version is
// Absent; a key of another kind is Invalid.
func (c *Client) GetVersioned(ctx context.Context, name string) (lattice.Value, Version, error) {
	op := "get " + name
	reply, err := c.getDetails(ctx, name)
	if err != nil {
		return lattice.Value{}, Absent, err
	}
	v, err := lattice.Decode(reply.Value)
	if err != nil {
		return lattice.Value{}, Absent, mesh.Errorf(mesh.Internal, op, "%w", err)
	}
	if reply.Version == "" {
		return lattice.Value{}, Absent, mesh.Errorf(mesh.Invalid, op, "a %s has no version: expected lww, mv-register or causal", v.Kind())
	}
	return v, Version(reply.Version), nil
}

// CompareAndSet writes a register if its version is still the given one, and
// gives the version after it. Otherwise the error is Conflict, nothing has
// changed, and the version is the one that it has now. op is a set.
//
// The owner closest to the key compares and writes, for one caller at a time,
// and most owners must hold the write. While the nodes agree on who that is,
// every change by CompareAndSet is seen by the next; what a plain put beside
// it does, or two sides of a partition, docs/semantics.md tells. After
// Unavailable or DeadlineExceeded the write may have happened or not: it is
// never repeated, and a read tells.
func (c *Client) CompareAndSet(ctx context.Context, name string, version Version, kind lattice.Kind, op lattice.Op) (Version, error) {
	key, err := c.key(name)
	if err != nil {
		return Absent, err
	}
	ttl, err := c.state.ttl("compare and set " + name)
	if err != nil {
		return Absent, err
	}
	reply, err := do[*pb.PutReply](ctx, c, "compare and set "+name, &pb.CompareAndSet{
		Key: wire.FromKey(key), Version: string(version), Kind: uint32(kind), Op: op.AppendBinary(nil), TtlMs: ttl,
		WriteQuorum: uint32(c.state.WriteQuorum), Durability: uint32(c.state.Durability),
	})
	switch {
	case err != nil:
		return Absent, err
	case reply.Conflict:
		return Version(reply.Version), conflict(name, version, Version(reply.Version))
	}
	return Version(reply.Version), nil
}

func conflict(name string, expected, now Version) error {
	op := "compare and set " + name
	switch {
	case now == Absent:
		return mesh.Errorf(mesh.Conflict, op, "the key does not exist: expected version %s", expected)
	case expected == Absent:
		return mesh.Errorf(mesh.Conflict, op, "the key exists, at version %s: expected none", now)
	}
	return mesh.Errorf(mesh.Conflict, op, "the key is at version %s: expected %s", now, expected)
}

// GetVersioned reads the value and the version for CompareAndSet. A missing
// key is no error here: it gives the zero value and Absent.
func (r RegisterHandle[T]) GetVersioned(ctx context.Context) (T, Version, error) {
	var none T
	v, version, err := r.client.GetVersioned(ctx, r.name)
	if errors.Is(err, mesh.NotFound) {
		return none, Absent, nil
	}
	if err := ofKind(r.name, v, lattice.LWWKind, err); err != nil {
		return none, Absent, err
	}
	payload, _ := v.Payload()
	value, err := fromBytes[T](payload)
	return value, version, err
}

// CompareAndSet writes the value if the version is still the given one, and
// gives the version after it, or Conflict and the version that it has now: see
// Client.CompareAndSet.
func (r RegisterHandle[T]) CompareAndSet(ctx context.Context, version Version, v T) (Version, error) {
	payload, err := toBytes(v)
	if err != nil {
		return Absent, mesh.AsError("compare and set "+r.name, err)
	}
	return r.client.CompareAndSet(ctx, r.name, version, lattice.LWWKind, lattice.SetOp(payload))
}

// ttl is the time to live of what is written, in milliseconds.
func (o StateOptions) ttl(op string) (uint64, error) {
	if o.TTL < 0 || o.TTL > 0 && o.TTL < time.Millisecond {
		return 0, mesh.Errorf(mesh.Invalid, op, "a time to live of %v: expected at least 1 ms, or 0 for none", o.TTL)
	}
	return ttlMillis(o.TTL), nil
}
