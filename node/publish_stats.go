package node

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// statsLife is how long published figures are kept as state.
const statsLife = time.Hour

// publishedHotKeys is how many hot keys published figures have.
const publishedHotKeys = 10

// statsTimeout bounds one attempt to publish.
const statsTimeout = 5 * time.Second

func statsKey(node mesh.NodeID) mesh.Key {
	return mesh.Key{Namespace: mesh.SystemNamespace, Name: "stats/" + node.String()}
}

// publishStats writes this node's figures into the store now and then, until
// ctx ends: others can tell them while nobody reaches this node, and all decide
// from them how many nodes are wanted. What fails is left to the next time.
func (r *rooms) publishStats(ctx context.Context) {
	if r.cfg.StatsInterval < 0 {
		return
	}
	ticker := time.NewTicker(r.cfg.StatsInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		r.usage.turn(time.Now())
		if err := r.publishStatsOnce(ctx); err != nil && ctx.Err() == nil {
			r.log.Debug("the figures of this node were not published", "err", err)
		}
		r.follower.look(ctx)
	}
}

func (r *rooms) publishStatsOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, statsTimeout)
	defer cancel()
	figures, err := r.stats(ctx, &pb.Stats{HotKeys: publishedHotKeys})
	if err != nil {
		return err
	}
	figures.PublishedUnixMs = time.Now().UnixMilli()
	encoded, err := proto.Marshal(figures)
	if err != nil {
		return mesh.Errorf(mesh.Internal, "publish stats", "%w", err)
	}
	payload := mesh.Value{Format: mesh.Raw, Data: encoded}.AppendBinary(nil)
	return r.state.PutFor(ctx, statsKey(r.self), lattice.LWWKind, lattice.SetOp(payload), statsLife)
}

// statsOf tells how this node stands, or another one did when it published that.
func (r *rooms) statsOf(ctx context.Context, m *pb.Stats) (*pb.StatsReply, error) {
	node := mesh.NodeID(m.Node)
	if node == "" || node == r.self {
		return r.stats(ctx, m)
	}
	return r.publishedStats(ctx, node)
}

// publishedStats reads what a node published last.
func (r *rooms) publishedStats(ctx context.Context, node mesh.NodeID) (*pb.StatsReply, error) {
	op := "stats of " + node.Short()
	value, err := r.state.Get(ctx, statsKey(node))
	if errors.Is(err, mesh.NotFound) {
		return nil, mesh.Errorf(mesh.NotFound, op, "the node has published no figures in the last %v", statsLife)
	}
	if err != nil {
		return nil, mesh.AsError(op, err)
	}
	payload, err := registerValue(value)
	if err != nil {
		return nil, err
	}
	reply := &pb.StatsReply{}
	if err := proto.Unmarshal(payload.Data, reply); err != nil {
		return nil, mesh.Errorf(mesh.Internal, op, "published figures: %w", err)
	}
	return reply, nil
}
