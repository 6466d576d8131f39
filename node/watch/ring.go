package watch

import (
	"math/rand/v2"
	"sync"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// Ring remembers which keys of this node's store changed last: the keys only,
// whose state is read when it is told. Changes are numbered from 0. It is safe
// for concurrent use.
type Ring struct {
	size        uint64
	incarnation uint64 // tells the numbers of this run from those of others
	whole       bool   // change 0 was the first that the store ever saw

	mu      sync.Mutex
	changes []change      // change n is at n modulo size
	next    uint64        // the number of the next one
	grown   chan struct{} // closed by the next change; nil while nobody waits
}

// change is what is remembered of one.
type change struct {
	key  mesh.Key
	part bool // of the key's collection, which is divided
}

// NewRing makes a ring of the last size changes, at least one. fresh says
// that the store is empty and new: then who asks for the changes from the
// beginning misses nothing.
func NewRing(size int, fresh bool) *Ring {
	return &Ring{size: uint64(size), incarnation: max(1, rand.Uint64()), whole: fresh}
}

// Changed says that a delta made a key's cell grow. It is quick, and does not
// look at the delta. The mesh's own state is not remembered.
func (r *Ring) Changed(key mesh.Key, _ lattice.Cell) {
	whole, _, part := key.Whole()
	r.add(change{key: whole, part: part})
}

func (r *Ring) add(c change) {
	if c.key.Namespace == mesh.SystemNamespace {
		return
	}
	r.mu.Lock()
	if uint64(len(r.changes)) < r.size {
		r.changes = append(r.changes, c)
	} else {
		r.changes[r.next%r.size] = c
	}
	r.next++
	if r.grown != nil {
		close(r.grown)
		r.grown = nil
	}
	r.mu.Unlock()
}

// end is the number of the next change.
func (r *Ring) end() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.next
}

// beyond gives a channel that is closed once there is a change number n.
func (r *Ring) beyond(n uint64) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next > n {
		return closed
	}
	if r.grown == nil {
		r.grown = make(chan struct{})
	}
	return r.grown
}

var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// scanChunk is how many changes are looked at while writers wait.
const scanChunk = 512

// since gives the keys of the scope that changed from change number from on,
// each once, up to limit, and the number of the first change that was not
// looked at. ok is false where the ring does not have the changes any more.
func (r *Ring) since(s scope, from uint64, limit int) (changed []change, next uint64, ok bool) {
	seen := make(map[string]int)
	for next = from; ; {
		r.mu.Lock()
		if next > r.next || next+r.size < r.next {
			r.mu.Unlock()
			return nil, from, false
		}
		stop := min(r.next, next+scanChunk)
		for ; next < stop && len(changed) <= limit; next++ {
			c := r.changes[next%r.size]
			if !s.matches(c.key) {
				continue
			}
			at, has := seen[c.key.Name]
			switch {
			case has:
				changed[at].part = changed[at].part || c.part
			case len(changed) == limit:
				r.mu.Unlock()
				return changed, next, true
			default:
				seen[c.key.Name] = len(changed)
				changed = append(changed, c)
			}
		}
		done := next == r.next
		r.mu.Unlock()
		if done {
			return changed, next, true
		}
	}
}
