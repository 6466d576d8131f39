package replica

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// hurryInterval is how often a node that owns nothing any more asks the others
// to take over what it still holds.
const hurryInterval = 500 * time.Millisecond

// handOver sees to it, until the context ends, that a node which owns nothing
// any more, because it drains, is soon empty. What owners find by themselves
// they take over at once when the view changes; this is for what was written
// here meanwhile.
func (r *Replica) handOver(ctx context.Context) {
	ticker := time.NewTicker(hurryInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if heirs := r.heirs(); len(heirs) > 0 && r.holdsAnything(ctx) {
			for _, node := range heirs {
				r.hurry(ctx, node)
			}
		}
	}
}

// heirs are the other live nodes, if this one owns nothing; else none.
func (r *Replica) heirs() []mesh.NodeID {
	s := r.sync
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.viewed || s.settlement.owned.len() > 0 {
		return nil
	}
	return r.others(s.view.live)
}

func (r *Replica) holdsAnything(ctx context.Context) bool {
	held, err := r.Local.Held(ctx)
	return err == nil && len(held) > 0
}

// hurry asks a node to compare with this one now.
func (r *Replica) hurry(ctx context.Context, node mesh.NodeID) {
	ctx, cancel := context.WithTimeout(ctx, hurryInterval)
	defer cancel()
	if _, err := r.Peers.Call(ctx, node, &pb.SyncNow{}); err != nil {
		r.Log.Debug("a node could not be asked to take over", "node", node.Short(), "err", err)
	}
}
