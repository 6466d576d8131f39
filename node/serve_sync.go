package node

import (
	"context"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// serveSync answers what nodes ask of each other to hold what they own.
func (r *rooms) serveSync(ctx context.Context, from mesh.NodeID, req wire.Message) (reply wire.Message, known bool, err error) {
	switch m := req.(type) {
	case *pb.SyncDigests:
		reply, err = r.replica.HandleSyncDigests(ctx, from, m)
	case *pb.SyncPull:
		reply, err = r.replica.HandleSyncPull(ctx, m)
	case *pb.SyncDone:
		err = r.replica.HandleSyncDone(from, m)
	case *pb.Collect:
		reply, err = r.replica.HandleCollect(ctx, m)
	case *pb.SyncFloors:
		reply = r.replica.HandleSyncFloors()
	case *pb.SyncNow:
		r.replica.HandleSyncNow(from)
	default:
		return nil, false, nil
	}
	return reply, true, err
}
