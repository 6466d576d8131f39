package store

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// promotions decides which cells that are read from the disk come into
// memory while that is full: those that are read again within a window, so
// that a scan does not push out what is hot. (Anna's rule: 2 accesses in 60 s.)
type promotions struct {
	window time.Duration
	bound  int // of the reads remembered for a window
	seed   maphash.Seed

	mu         sync.Mutex
	since      time.Time
	last, past map[uint64]struct{} // hashes of the keys read in this window and the one before
}

// maxPromotions bounds the keys that are remembered, in each of two windows;
// of two keys with the same hash one may come into memory too early.
const maxPromotions = 1 << 16

func newPromotions(window time.Duration) *promotions {
	return &promotions{window: window, bound: maxPromotions, seed: maphash.MakeSeed(), last: make(map[uint64]struct{})}
}

// again notes a read of a key, and reports whether there was another within
// the window before it, or at most as long again.
func (p *promotions) again(key mesh.Key, now time.Time) bool {
	hash := maphash.String(p.seed, key.Name)
	p.mu.Lock()
	defer p.mu.Unlock()
	if age := now.Sub(p.since); age >= p.window || len(p.last) >= p.bound {
		p.past, p.last = p.last, make(map[uint64]struct{})
		if age >= 2*p.window {
			p.past = nil
		}
		p.since = now
	}
	if _, ok := p.last[hash]; ok {
		return true
	}
	p.last[hash] = struct{}{}
	_, ok := p.past[hash]
	return ok
}
