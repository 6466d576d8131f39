package replica

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// swappable reports whether CompareAndSet writes keys of a kind: registers
// whose set replaces all that was seen.
func swappable(kind lattice.Kind) bool {
	switch kind {
	case lattice.LWWKind, lattice.MVRegisterKind, lattice.CausalKind:
		return true
	}
	return false
}

// Swap is a register's new content and the version that it must have before.
type Swap struct {
	Version string // as it came with a read; empty: the key must not exist
	Kind    lattice.Kind
	Op      lattice.Op // a set
}

// Swapped says how a CompareAndSet went.
type Swapped struct {
	mesh.Ack
	Version  string // of the register now
	Conflict bool   // it was another than expected, and nothing changed
}

// CompareAndSet writes a register if its version is the one expected. The
// closest owner does it, one at a time for each key, after asking so many
// owners that most have answered; most must then hold the write. o.ID has no
// meaning here: after mesh.Unavailable the write may have taken effect or not,
// which only a read tells.
func (r *Replica) CompareAndSet(ctx context.Context, key mesh.Key, s Swap, o WriteOptions) (Swapped, error) {
	c := change{key: key, kind: s.Kind, op: s.Op, ttl: o.TTL}
	switch {
	case !swappable(s.Kind):
		return Swapped{}, mesh.Errorf(mesh.Invalid, "compare and set "+key.String(), "a %s: expected lww, mv-register or causal", s.Kind)
	case s.Op.Verb() != lattice.VerbSet:
		return Swapped{}, mesh.Errorf(mesh.Invalid, "compare and set "+key.String(), "the operation is %s: expected set", s.Op.Verb())
	}
	if err := c.validate(o); err != nil {
		return Swapped{}, err
	}
	owners := r.owners(key)
	switch {
	case len(owners) == 0:
		return Swapped{}, mesh.Errorf(mesh.Unavailable, c.String(), "the key has no owners")
	case owners[0] == r.Self:
		return r.swap(ctx, c, s.Version, o)
	case o.Forwarded:
		return Swapped{}, mesh.Errorf(mesh.Unavailable, c.String(), "node %s is closer to the key than this one: the owners change", owners[0].Short())
	}
	return r.forwardSwap(ctx, c, s, owners[0], o)
}

// swap is CompareAndSet at the closest owner.
func (r *Replica) swap(ctx context.Context, c change, version string, o WriteOptions) (Swapped, error) {
	if err := r.home("compare and set"); err != nil {
		return Swapped{}, err
	}
	q, err := r.writeQuorum(c, o.Quorum)
	if err == nil {
		q, err = q.ofMost(c)
	}
	if err != nil {
		return Swapped{}, err
	}
	if o.Durability == mesh.DefaultDurability {
		o.Durability = r.Durability
	}
	leave, err := r.swaps.enter(ctx, c.key)
	if err != nil {
		return Swapped{}, mesh.AsError(c.String(), err)
	}
	defer leave()
	if err := r.gather(ctx, c.key, len(q.known)/2+1); err != nil {
		return Swapped{}, mesh.AsError(c.String(), err)
	}
	var result Swapped
	c.make = result.making(c, version)
	result.Ack, err = r.coordinate(ctx, c, q, o.Durability, &recentWrite{})
	if result.Conflict {
		err = nil
	}
	return result, err
}

// making makes the delta of a swap, and notes how it went.
func (s *Swapped) making(c change, version string) func(lattice.Cell, lattice.Write) (lattice.Cell, error) {
	written := false
	return func(have lattice.Cell, at lattice.Write) (lattice.Cell, error) {
		if written {
			return lattice.Cell{}, mesh.Errorf(mesh.Unavailable, c.String(), "the key was deleted by others while it was written")
		}
		s.Version = versionOf(have)
		if s.Conflict = s.Version != version; s.Conflict {
			return lattice.Cell{}, errConflict
		}
		at.TTL = c.ttl
		delta, err := have.Apply(c.kind, c.op, at)
		if err != nil {
			return delta, err
		}
		written = true
		now := have.Clone()
		_, err = now.Merge(delta)
		s.Version = versionOf(now)
		return delta, err
	}
}

// errConflict ends a CompareAndSet that found another version.
var errConflict = mesh.Errorf(mesh.Conflict, "compare and set", "the version is another")

func (r *Replica) forwardSwap(ctx context.Context, c change, s Swap, owner mesh.NodeID, o WriteOptions) (Swapped, error) {
	req := &pb.CompareAndSet{
		Key: wire.FromKey(c.key), Version: s.Version, Kind: uint32(c.kind), Op: c.op.AppendBinary(nil), TtlMs: toMillis(c.ttl),
		WriteQuorum: uint32(o.Quorum), Durability: uint32(o.Durability), Forwarded: true,
	}
	ctx, cancel := context.WithTimeout(ctx, 2*r.patience(proto.Size(req)))
	defer cancel()
	reply, err := call[*pb.PutReply](ctx, r.Peers, owner, req)
	if err != nil {
		return Swapped{}, err
	}
	ack := mesh.Ack{Replicas: int(reply.Replicas), Durability: mesh.Durability(min(reply.Durability, 255))}
	return Swapped{Ack: ack, Version: reply.Version, Conflict: reply.Conflict}, nil
}

// HandleCompareAndSet answers a client, or a node that is not the closest owner.
func (r *Replica) HandleCompareAndSet(ctx context.Context, m *pb.CompareAndSet) (*pb.PutReply, error) {
	key, err := wire.ToKey(m.Key)
	if err != nil {
		return nil, err
	}
	op, err := lattice.DecodeOp(m.Op)
	if err != nil {
		return nil, mesh.Errorf(mesh.Invalid, "compare and set "+key.String(), "%w", err)
	}
	d, err := toDurability(m.Durability)
	if err != nil {
		return nil, err
	}
	swapped, err := r.CompareAndSet(ctx, key, Swap{Version: m.Version, Kind: lattice.Kind(min(m.Kind, 255)), Op: op}, WriteOptions{
		Quorum: int(m.WriteQuorum), Durability: d, TTL: fromMillis(m.TtlMs), Forwarded: m.Forwarded,
	})
	if err != nil {
		return nil, err
	}
	reply := r.putReply(r.owners(key), swapped.Ack)
	reply.Version, reply.Conflict = swapped.Version, swapped.Conflict
	return reply, nil
}
