package node

import (
	"cmp"
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh/link"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/node/metrics"
)

// What is served while the reader of a connection waits.

// getAtHand answers a get of a key that this node owns and has in memory; nil
// when it takes more than that.
func (r *rooms) getAtHand(m *pb.Get) *pb.GetReply {
	key, err := wire.ToKey(m.GetKey())
	if err != nil || m.Session != nil || m.GetCell() || m.GetDetails() || cmp.Or(int(m.GetQuorum()), r.cfg.ReadQuorum) > 1 || r.store.Failed() != nil || !r.dht.Owns(key, r.cfg.Replicas) {
		return nil
	}
	cell, _ := r.store.InMemory(key)
	value, ok := cell.Value()
	if !ok || value.Size() > maxAtHand || value.Divided() || cell.Expired(time.Now) {
		return nil
	}
	r.requests.Count(metrics.Get, nil)
	if l := r.usage.latencies; l != nil {
		l.note(0)
	}
	return r.replica.ReplyAsOwner(key, value)
}

// beginPut serves a put that waits for nothing but other nodes and the log: it
// is answered when they have answered. Any other gives link.ErrMustWait.
func (r *rooms) beginPut(ctx context.Context, m *pb.Put) error {
	if m.Session != nil && !m.Forwarded {
		return link.ErrMustWait
	}
	later := link.Defer(ctx, r.replica.Depart)
	if later == nil || !r.replica.BeginPut(m, &putAsker{later, r, m, time.Now()}) {
		return link.ErrMustWait
	}
	return nil
}

// putAsker is who waits for a put that was begun.
type putAsker struct {
	*link.Later
	rooms *rooms
	put   *pb.Put
	began time.Time
}

// Reply implements replica.Asker.
func (a *putAsker) Reply(answer *pb.PutReply, err error) {
	a.rooms.countUnless(a.put.Forwarded, metrics.Put, err)
	if l := a.rooms.usage.latencies; l != nil && isTimed(a.put) {
		l.note(time.Since(a.began))
	}
	if err != nil {
		a.Later.Reply(nil, err)
		return
	}
	a.Later.Reply(answer, nil)
}

// maxAtHand is the size of the largest value that is encoded while the
// connection's reader waits, in bytes.
const maxAtHand = 16 << 10
