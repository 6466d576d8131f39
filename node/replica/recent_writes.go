package replica

import (
	"context"
	"sync"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// recentWrites remembers the last writes that came with an id, so that a
// client's retry is not applied twice. The oldest are forgotten first.
type recentWrites struct {
	hash   writeHasher
	bounds int

	mu   sync.Mutex
	byID map[writeHash]*recentWrite
	ring []writeHash // in order of arrival, from next on
	next int
}

type writeID struct {
	id  string
	key mesh.Key
}

// recentWrite is one of them. Its fields are guarded by having its turn, but
// for the first two. It outlives the write by far, so it keeps nothing of what
// was written.
type recentWrite struct {
	taken   bool            // somebody has the turn; guarded by recentWrites.mu
	rested  chan struct{}   // closed when that one rests, if somebody waits for it; likewise
	id      writeID         // of a write that must not be applied twice, else zero
	counts  lattice.WriteID // stands for id in counters
	first   bool            // this node was the first to apply it, as far as it can know
	begun   bool            // in the writeMemory, and not settled yet
	applied bool
	delta   lattice.Cell // while somebody works on the write, once applied
	adds    bool         // to more of the key than the delta says
	ackBy   time.Time    // when it is too late to acknowledge it; zero: never
	acked   bool
	ack     mesh.Ack
}

func newRecentWrites(bounds int) *recentWrites {
	return &recentWrites{hash: newWriteHasher(), byID: make(map[writeHash]*recentWrite), bounds: bounds}
}

// take finds the write with an id, or notes it, and waits for its turn, which
// the caller gives back by rest.
func (r *recentWrites) take(ctx context.Context, id writeID) (*recentWrite, error) {
	w := r.get(id)
	for {
		rested := r.takeOrWait(w)
		if rested == nil {
			return w, nil
		}
		select {
		case <-rested:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// tryTake is take without waiting: nil if somebody else has the turn.
func (r *recentWrites) tryTake(id writeID) *recentWrite {
	w := r.get(id)
	r.mu.Lock()
	defer r.mu.Unlock()
	if w.taken {
		return nil
	}
	w.taken = true
	return w
}

// takeOrWait takes the turn, or gives what is closed when somebody else rests.
func (r *recentWrites) takeOrWait(w *recentWrite) (rested chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !w.taken {
		w.taken = true
		return nil
	}
	if w.rested == nil {
		w.rested = make(chan struct{})
	}
	return w.rested
}

// rest gives the turn to who retries the write.
func (r *recentWrites) rest(w *recentWrite) {
	w.delta = lattice.Cell{}
	r.mu.Lock()
	defer r.mu.Unlock()
	w.taken = false
	if w.rested != nil {
		close(w.rested)
		w.rested = nil
	}
}

func (r *recentWrites) get(id writeID) *recentWrite {
	h := r.hash.of(id)
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := r.byID[h]; w != nil {
		return w
	}
	w := &recentWrite{}
	r.byID[h] = w
	if len(r.ring) < r.bounds {
		r.ring = append(r.ring, h)
		return w
	}
	delete(r.byID, r.ring[r.next])
	r.ring[r.next] = h
	r.next = (r.next + 1) % r.bounds
	return w
}
