package replica

import (
	"context"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// merge hands a delta to an owner. One that had nothing that the delta adds
// to is sent all that this node holds.
func (r *Replica) merge(ctx context.Context, owner mesh.NodeID, key mesh.Key, m *pb.Merge) (*pb.MergeReply, error) {
	reply, err := call[*pb.MergeReply](ctx, r.Peers, owner, m)
	return r.rest(ctx, owner, key, m, reply, err)
}

// rest is what merge does once the owner has answered.
func (r *Replica) rest(ctx context.Context, owner mesh.NodeID, key mesh.Key, m *pb.Merge, reply *pb.MergeReply, err error) (*pb.MergeReply, error) {
	if err != nil || !reply.LacksBase || reply.Dominated {
		return reply, err
	}
	if whole, _, isPart := key.Whole(); isPart {
		if err := r.sendWhole(ctx, owner, whole, m.Durability); err != nil {
			return nil, err
		}
	}
	whole, held, err := r.Local.Get(key)
	if err != nil || !held {
		return reply, err
	}
	return call[*pb.MergeReply](ctx, r.Peers, owner, &pb.Merge{
		Key: m.Key, Delta: whole.AppendBinary(nil), Durability: m.Durability,
	})
}

// observe merges into this node's copy what another owner tells of its own.
func (r *Replica) observe(ctx context.Context, key mesh.Key, encoded []byte) {
	if whole, _, isPart := key.Whole(); isPart {
		key = whole
	}
	cell, err := lattice.DecodeCell(encoded)
	if err == nil {
		_, err = r.mergeWhole(ctx, key, cell, mesh.Logged)
	}
	if err != nil {
		r.Log.Warn("cannot observe another owner's copy", "key", key.String(), "err", err)
	}
}
