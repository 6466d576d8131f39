package node

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// drainTell is after how long at most a request to drain is answered with how
// far it is.
const drainTell = 500 * time.Millisecond

// serveDrain drains this node, or passes the request on to the one it is for.
func (r *rooms) serveDrain(ctx context.Context, m *pb.Drain) (wire.Message, error) {
	if node := mesh.NodeID(m.GetNode()); node != r.self {
		return r.passOn(ctx, node, m)
	}
	if m.Cancel {
		return nil, r.cancelDrain(ctx)
	}
	attempt, err := r.beginDrain()
	if err != nil {
		return nil, err
	}
	tell := time.NewTimer(drainTell)
	defer tell.Stop()
	select {
	case <-attempt.ended:
		if attempt.err != nil {
			return nil, attempt.err
		}
	case <-tell.C:
	case <-ctx.Done():
		return nil, mesh.AsError("drain", ctx.Err())
	}
	held, err := r.store.Held(ctx)
	if err != nil {
		return nil, err
	}
	return &pb.DrainReply{PartitionsLeft: uint64(len(held)), Done: r.drain.isDone()}, nil
}

// passOn sends a request to the node that it is for, and gives its answer.
func (r *rooms) passOn(ctx context.Context, node mesh.NodeID, m *pb.Drain) (wire.Message, error) {
	if node == "" {
		return nil, mesh.Errorf(mesh.Invalid, "drain", "no node is named: expected one")
	}
	return r.peers.Call(ctx, node, m)
}

// serveForget declares that a missing node never returns.
func (r *rooms) serveForget(ctx context.Context, m *pb.Forget) error {
	ctx, cancel := context.WithTimeout(ctx, spreadTimeout)
	defer cancel()
	return r.dht.Forget(ctx, mesh.NodeID(m.GetNode()))
}
