package replica

import (
	"context"
	"slices"
	"sync"

	"github.com/virga-mesh/virga/mesh"
)

// flights are the writes that this node has made and that other owners have
// yet to answer. So it can tell when a node has all of them (package cut).
type flights struct {
	mu       sync.Mutex
	applying wave   // writes that have begun, and are not in this node's store yet
	deciding wave   // and those of which it is not known yet whether enough owners hold them
	decided  uint64 // up to which lattice.Stamp.Time they are known to have been waited for
	doubts   doubts
	to       map[mesh.NodeID]*course
	lost     uint64 // how often it was not known who had to be sent a write
}

// course is what is on its way to one node.
type course struct {
	wave
	lost uint64 // how often the node may have missed something
}

// wave counts what is under way, in passes: who turns it waits for what
// began before, and not for what begins after.
type wave struct {
	now     *pass
	earlier []*pass // that have not ended
}

type pass struct {
	under int
	ended chan struct{} // closed when nothing of it is under way, once it was turned
}

// enter begins something. The lock is held.
func (w *wave) enter() *pass {
	if w.now == nil {
		w.now = &pass{ended: make(chan struct{})}
	}
	w.now.under++
	return w.now
}

// leave ends something that enter began. The lock is held.
func (w *wave) leave(p *pass) {
	if p.under--; p.under > 0 || p == w.now {
		return
	}
	close(p.ended)
	w.earlier = slices.DeleteFunc(w.earlier, func(other *pass) bool { return other == p })
}

// turn gives what is to be waited for until all that began before has ended.
// The lock is held.
func (w *wave) turn() []*pass {
	if w.now != nil && w.now.under > 0 {
		w.earlier = append(w.earlier, w.now)
		w.now = nil
	}
	return slices.Clone(w.earlier)
}

// flight is one write on its way to the other owners.
type flight struct {
	applying *pass
	deciding *pass
	bound    []bound
}

type bound struct {
	node mesh.NodeID
	pass *pass
}

// depart begins a write that is to be sent to some nodes, before it gets its
// stamp. Those that should own the key and are not sent it miss something.
func (f *flights) depart(to, known []mesh.NodeID, self mesh.NodeID) *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := &flight{applying: f.applying.enter(), deciding: f.deciding.enter(), bound: make([]bound, 0, len(to))}
	for _, node := range to {
		w.bound = append(w.bound, bound{node, f.course(node).enter()})
	}
	for _, node := range known {
		if node != self && !slices.Contains(to, node) {
			f.course(node).lost++
		}
	}
	return w
}

// course gives that to a node. The lock is held.
func (f *flights) course(node mesh.NodeID) *course {
	c := f.to[node]
	if c == nil {
		if f.to == nil {
			f.to = map[mesh.NodeID]*course{}
		}
		c = &course{}
		f.to[node] = c
	}
	return c
}

// applied says that the write is in this node's store.
func (f *flights) applied(w *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w.applying != nil {
		f.applying.leave(w.applying)
		w.applying = nil
	}
}

// conclude says whether enough owners hold the write, or hold a delete that won over it.
func (f *flights) conclude(w *flight, enough bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w == nil || w.deciding == nil {
		return
	}
	if !enough {
		f.doubts.raise()
	}
	f.deciding.leave(w.deciding)
	w.deciding = nil
}

// landed says that a node has answered, or that it will not: then it may have missed the write.
func (f *flights) landed(w *flight, node mesh.NodeID, has bool) {
	if w == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	at := slices.IndexFunc(w.bound, func(b bound) bool { return b.node == node })
	if at < 0 {
		return
	}
	c := f.course(node)
	if !has {
		c.lost++
	}
	c.leave(w.bound[at].pass)
	w.bound = slices.Delete(w.bound, at, at+1)
}

// crash ends a write that is sent to nobody. made says that it has, or may
// have, been made here: then all have missed it.
func (f *flights) crash(w *flight, made bool) {
	f.applied(w)
	f.conclude(w, !made)
	for len(w.bound) > 0 {
		f.landed(w, w.bound[0].node, !made)
	}
}

// confuse says that it was not known who had to be sent a write.
func (f *flights) confuse() {
	f.mu.Lock()
	f.lost++
	f.mu.Unlock()
}

// Flush returns when a node has answered for all writes that this node made
// before the call, and tells how often, since the start, the node may have
// missed one.
func (r *Replica) Flush(ctx context.Context, to mesh.NodeID) (unsure uint64, err error) {
	f := &r.flights
	f.mu.Lock()
	waits := append(f.applying.turn(), f.course(to).turn()...)
	f.mu.Unlock()
	if err := endOf(ctx, waits); err != nil {
		return 0, mesh.AsError("flush", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lost + f.course(to).lost, nil
}

func endOf(ctx context.Context, waits []*pass) error {
	for _, p := range waits {
		select {
		case <-p.ended:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// isFirm waits until it is known, of all writes that this node made up to a
// time, whether enough owners hold them, and reports whether this is so of what it
// made then of a key: else a copy shows what may be lost with this node.
func (f *flights) isFirm(ctx context.Context, key mesh.Key, time uint64) bool {
	f.mu.Lock()
	if time <= f.decided {
		defer f.mu.Unlock()
		return f.doubts.has(key, time)
	}
	waits := f.deciding.turn()
	f.mu.Unlock()
	if endOf(ctx, waits) != nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.decided = max(f.decided, time)
	return f.doubts.has(key, time)
}

// found says that most owners hold what this node made of a key up to a time.
func (f *flights) found(key mesh.Key, time uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.doubts.clear(key, time)
}
