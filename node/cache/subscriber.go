package cache

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// subscriber is a node whose cache holds keys that this node owns. The
// publisher's mu guards it.
type subscriber struct {
	node    mesh.NodeID
	leases  map[mesh.Key]lease
	turn    uint64                    // counts subscriptions and pushes
	pending map[mesh.Key]lattice.Cell // to be sent; the zero Cell: forget the key
	bytes   int                       // of pending
	end     time.Time                 // of its last lease
	pushing bool                      // a task brings pending to the node
}

type lease struct {
	end  time.Time
	turn uint64 // when the key was subscribed to last
}

func newSubscriber(node mesh.NodeID) *subscriber {
	return &subscriber{node: node, leases: make(map[mesh.Key]lease), pending: make(map[mesh.Key]lattice.Cell)}
}

func (s *subscriber) subscribe(key mesh.Key, end time.Time) {
	s.turn++
	s.end = end
	s.leases[key] = lease{end: end, turn: s.turn}
	if cell, waits := s.pending[key]; waits && cell.IsZero() {
		s.discard(key) // it fetches the whole anew
	}
}

// collect merges a delta into what is to be sent. It reports false where that
// is too much: then the subscriber is told to forget the key.
func (s *subscriber) collect(key mesh.Key, delta lattice.Cell, bound int) bool {
	collected := s.pending[key]
	s.discard(key)
	if _, err := collected.Merge(delta); err != nil || s.bytes+collected.Size() > bound {
		s.pending[key] = lattice.Cell{}
		return false
	}
	s.pending[key] = collected
	s.bytes += collected.Size()
	return true
}

func (s *subscriber) discard(key mesh.Key) {
	if cell, waits := s.pending[key]; waits {
		delete(s.pending, key)
		if !cell.IsZero() {
			s.bytes -= cell.Size()
		}
	}
}

func (s *subscriber) clear() {
	clear(s.pending)
	s.bytes = 0
}

// push brings a subscriber what is pending, an epoch after it came up, until
// nothing is. What is not answered is sent again, with what came up since.
func (p *Publisher) push(ctx context.Context, s *subscriber) {
	wait := p.Epoch
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		batch, turn := p.take(s)
		if batch == nil {
			return
		}
		if err := p.send(ctx, s, batch, turn); err != nil {
			p.putBack(s, batch)
			wait = min(2*wait, p.Lease/4)
			p.Log.Debug("a subscriber does not answer", "node", s.node.Short(), "err", err)
		} else {
			wait = p.Epoch
		}
		timer.Reset(wait)
	}
}

// take gives what is pending, of subscriptions that hold; nil, and the end of
// pushing, if nothing is.
func (p *Publisher) take(s *subscriber) (batch map[mesh.Key]lattice.Cell, turn uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.expire(s, now)
	if !now.Before(s.end) {
		s.clear() // what it is to forget, it has
	}
	if len(s.pending) == 0 {
		s.pushing = false
		p.expire(s, now)
		return nil, 0
	}
	batch = s.pending
	s.pending, s.bytes = make(map[mesh.Key]lattice.Cell), 0
	return batch, s.turn
}

// putBack makes what was not answered pending again.
func (p *Publisher) putBack(s *subscriber, batch map[mesh.Key]lattice.Cell) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.subscribers[s.node] != s {
		return
	}
	for key, delta := range batch {
		_, subscribed := s.leases[key]
		switch {
		case subscribed && !delta.IsZero():
			if !s.collect(key, delta, p.PendingBytes) {
				p.remove(s, key)
			}
		case !subscribed && delta.IsZero():
			s.pending[key] = delta
		}
	}
}

// send sends one batch and ends the subscriptions that the answer names,
// unless they were renewed since the batch was taken.
func (p *Publisher) send(ctx context.Context, s *subscriber, batch map[mesh.Key]lattice.Cell, turn uint64) error {
	ctx, cancel := context.WithTimeout(ctx, p.AttemptTimeout)
	defer cancel()
	m := &pb.Push{Session: p.session}
	for key, delta := range batch {
		pushed := &pb.PushedDelta{Key: wire.FromKey(key)}
		if !delta.IsZero() {
			pushed.Delta = delta.AppendBinary(nil)
		}
		m.Deltas = append(m.Deltas, pushed)
	}
	reply, err := p.Peers.Call(ctx, s.node, m)
	if err != nil {
		return err
	}
	pushed, ok := reply.(*pb.PushReply)
	if !ok {
		return mesh.Errorf(mesh.Internal, "push", "node %s answered with %T", s.node.Short(), reply)
	}
	p.pushed.Add(uint64(len(m.Deltas)))
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range pushed.Unwanted {
		key := mesh.Key{Namespace: k.GetNamespace(), Name: k.GetName()}
		if held, has := s.leases[key]; has && held.turn <= turn {
			p.remove(s, key)
			s.discard(key)
		}
	}
	return nil
}
