package replica

import (
	"context"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// HandleMerge takes a delta from another node. It is never refused for this
// node not being an owner, since views differ for a while; but then it says
// so, and hands the delta on to the owners that it sees.
func (r *Replica) HandleMerge(ctx context.Context, m *pb.Merge) (*pb.MergeReply, error) {
	d, err := toDurability(m.Durability)
	if err == nil {
		err = r.home("merge")
	}
	if err != nil {
		return nil, err
	}
	_, reply, err := r.takeDelta(ctx, m, d)
	return reply, err
}

// HandleMergeMany takes deltas as HandleMerge does. They are as durable as
// the most demanding asks, for which is waited once.
func (r *Replica) HandleMergeMany(ctx context.Context, m *pb.MergeMany) (*pb.MergeManyReply, error) {
	if n := len(m.Merges); n == 0 || n > maxTogether {
		return nil, mesh.Errorf(mesh.Invalid, "merge", "%d deltas together: expected 1 to %d", n, maxTogether)
	}
	if err := r.home("merge"); err != nil {
		return nil, err
	}
	reply := &pb.MergeManyReply{Answers: make([]*pb.MergeAnswer, len(m.Merges))}
	strictest := mesh.Memory
	keys := make([]mesh.Key, 0, len(m.Merges))
	for i, merge := range m.Merges {
		d, err := toDurability(merge.Durability)
		var key mesh.Key
		var one *pb.MergeReply
		if err == nil {
			key, one, err = r.takeDelta(ctx, merge, mesh.Memory)
		}
		if err != nil {
			reply.Answers[i] = &pb.MergeAnswer{Error: wire.FromError(err, r.Self)}
			continue
		}
		if d == mesh.DefaultDurability {
			d = mesh.Logged
		}
		one.Durability = uint32(d)
		reply.Answers[i] = &pb.MergeAnswer{Reply: one}
		strictest = max(strictest, d)
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return reply, nil
	}
	if err := r.Local.Await(ctx, strictest, keys...); err != nil {
		return nil, err
	}
	return reply, nil
}

// takeDelta merges a delta of a key from another node, with a durability.
func (r *Replica) takeDelta(ctx context.Context, m *pb.Merge, d mesh.Durability) (key mesh.Key, reply *pb.MergeReply, err error) {
	if key, err = wire.ToStoredKey(m.Key); err != nil {
		return key, nil, err
	}
	delta, err := lattice.DecodeCell(m.Delta)
	if err != nil {
		return key, nil, mesh.Errorf(mesh.Invalid, "merge "+key.String(), "%w", err)
	}
	reply, had, err := r.arriving(key, m.WriteIds, mayCount(delta), func() (*pb.MergeReply, error) {
		if whole, _, isPart := key.Whole(); isPart {
			return r.mergePart(ctx, key, whole, delta, m.AddsToBase, d)
		}
		merged, err := r.mergeWhole(ctx, key, delta, d)
		if err != nil {
			return nil, err
		}
		reply := &pb.MergeReply{Durability: uint32(merged.Durability), LacksBase: merged.Created && m.AddsToBase}
		if merged.Dominated {
			return r.dominated(key, reply)
		}
		return reply, nil
	})
	if err == nil && had && !reply.Dominated {
		reply.Cell = r.otherVersion(key, delta)
	}
	if err == nil && !reply.Dominated && !r.Placement.Owns(key, r.Replicas) {
		reply.NotOwner = true
		for _, owner := range r.others(r.owners(key)) {
			r.owe(owner, key, delta, m.WriteIds)
		}
	}
	return key, reply, err
}

// dominated tells the sender of a delta what the later delete was.
func (r *Replica) dominated(key mesh.Key, reply *pb.MergeReply) (*pb.MergeReply, error) {
	cell, found, err := r.Local.Get(key)
	if err != nil || !found {
		return nil, mesh.Errorf(mesh.Unavailable, "merge "+key.String(), "the key was deleted, but its record cannot be read: %v", err)
	}
	reply.Dominated = true
	reply.Cell = cell.AppendBinary(nil)
	return reply, nil
}

// otherVersion is this node's copy of a register, or of a deleted key, if it is
// another version than that of a delta; else nil.
func (r *Replica) otherVersion(key mesh.Key, delta lattice.Cell) []byte {
	if value, ok := delta.Value(); ok && value.Kind() != lattice.LWWKind {
		return nil
	}
	cell, found, err := r.Local.Get(key)
	if err != nil || !found || cell.Compare(delta) == lattice.Equal {
		return nil
	}
	return cell.AppendBinary(nil)
}
