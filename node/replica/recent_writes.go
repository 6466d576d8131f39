package replica

import (
	"sync"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// recentWrites remembers the last writes that came with an id, so that a
// client's retry is not applied twice. The oldest are forgotten first.
type recentWrites struct {
	mu     sync.Mutex
	byID   map[writeID]*recentWrite
	ring   []writeID // in order of arrival, from next on
	next   int
	bounds int
}

type writeID struct {
	id  string
	key mesh.Key
}

// recentWrite is one of them. Its fields are guarded by holding its turn. It
// outlives the write by far, so it keeps nothing of what was written.
type recentWrite struct {
	turn    chan struct{}   // of capacity 1: full while nobody works on the write
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

// rest gives the turn to who retries the write.
func (w *recentWrite) rest() {
	w.delta = lattice.Cell{}
	w.turn <- struct{}{}
}

func newRecentWrites(bounds int) *recentWrites {
	return &recentWrites{byID: make(map[writeID]*recentWrite), bounds: bounds}
}

// newRecentWrite is a write that nobody else can work on.
func newRecentWrite() *recentWrite { return &recentWrite{turn: make(chan struct{}, 1)} }

// get finds the write with an id, or notes it.
func (r *recentWrites) get(id writeID) *recentWrite {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := r.byID[id]; w != nil {
		return w
	}
	w := newRecentWrite()
	w.turn <- struct{}{}
	r.byID[id] = w
	if len(r.ring) < r.bounds {
		r.ring = append(r.ring, id)
		return w
	}
	delete(r.byID, r.ring[r.next])
	r.ring[r.next] = id
	r.next = (r.next + 1) % r.bounds
	return w
}
