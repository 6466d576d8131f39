package replica

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// hintBatch is how many keys' deltas are read and sent to a node at a time.
const hintBatch = 64

// owe notes durably that an owner is owed a delta, and when to send it. The
// ids of the writes in it are kept in memory only.
func (r *Replica) owe(owner mesh.NodeID, key mesh.Key, delta lattice.Cell, ids [][]byte) {
	switch err := r.Local.AddHint(owner, key, delta); {
	case mesh.KindOf(err) == mesh.Overloaded:
		r.forgive(owner, err)
		return
	case err != nil:
		r.Log.Error("cannot note what an owner is owed", "node", owner.Short(), "key", key.String(), "err", err)
		return
	}
	r.hinted.Add(owner, key, hintedIDs{ids, mayCount(delta)})
	r.tellDue(func(d *deliveries) { d.Owe(owner, time.Now()) })
}

// PeerUp says that a node has come back: what it is owed is sent now, and what
// it holds is compared.
func (r *Replica) PeerUp(node mesh.NodeID) {
	r.tellDue(func(d *deliveries) { d.PeerUp(node, time.Now()) })
	r.sync.tell(func() { r.sync.settlement.PeerUp(node, time.Now()) })
	r.ViewChanged()
}

func (r *Replica) tellDue(tell func(*deliveries)) {
	r.dueMu.Lock()
	tell(r.due)
	r.dueMu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// deliver sends what is owed when it is due, until the context ends.
func (r *Replica) deliver(ctx context.Context) {
	r.recallDebts(ctx)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		r.dueMu.Lock()
		ready := r.due.Ready(time.Now())
		next, any := r.due.Next()
		r.dueMu.Unlock()
		for _, node := range ready {
			r.spawn(func() { r.deliverTo(node) })
		}
		var due <-chan time.Time
		if any {
			timer.Reset(time.Until(next))
			due = timer.C
		}
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		case <-due:
		}
	}
}

// recallDebts takes up what earlier runs of this node have left.
func (r *Replica) recallDebts(ctx context.Context) {
	nodes, err := r.Local.HintedNodes(ctx)
	if err != nil {
		r.Log.Error("cannot read what other nodes are owed", "err", err)
	}
	for _, node := range nodes {
		r.tellDue(func(d *deliveries) { d.Owe(node, time.Now()) })
	}
}

// deliverTo sends one batch to a node.
func (r *Replica) deliverTo(node mesh.NodeID) {
	more, err := r.sendHints(r.background, node)
	if err == nil && !more && r.isForgiven(node) {
		r.hurry(r.background, node)
	}
	if err != nil {
		r.Log.Debug("a node is still owed deltas", "node", node.Short(), "err", err)
	}
	r.tellDue(func(d *deliveries) {
		if err != nil {
			d.Undelivered(node, time.Now())
		} else {
			d.Delivered(node, more, time.Now())
		}
	})
}

// sendHints sends deltas that a node is owed and forgets those that it took.
func (r *Replica) sendHints(ctx context.Context, node mesh.NodeID) (more bool, err error) {
	if err := r.home("deliver"); err != nil {
		return false, err
	}
	writes := r.hinted.Take(node)
	defer func() {
		if more || err != nil {
			r.hinted.GiveBack(node, writes)
		}
	}()
	hints, err := r.Local.Hints(ctx, node, hintBatch)
	if err != nil {
		return false, err
	}
	for key, delta := range hints {
		if err := r.sendHint(ctx, node, key, delta, writes[key].ids); err != nil {
			return false, err
		}
		if err := r.Local.DropHint(node, key, delta); err != nil {
			return false, err
		}
		delete(writes, key)
	}
	return len(hints) == hintBatch, nil
}

// sendHint brings one delta to a node. A delta that the node will never take
// is reported, and taken as delivered.
func (r *Replica) sendHint(ctx context.Context, node mesh.NodeID, key mesh.Key, delta lattice.Cell, writes [][]byte) error {
	merge := &pb.Merge{
		Key: wire.FromKey(key), Delta: delta.AppendBinary(nil), Durability: uint32(r.lasting()), AddsToBase: true,
		WriteIds: writes,
	}
	ctx, cancel := r.attempt(ctx, len(merge.Delta))
	defer cancel()
	reply, err := r.merge(ctx, node, key, merge)
	switch {
	case err != nil && !owable(err):
		r.Log.Warn("an owner refuses what it was owed", "node", node.Short(), "key", key.String(), "err", err)
		return nil
	case err == nil && reply.Dominated:
		r.observe(ctx, key, reply.Cell)
	}
	return err
}
