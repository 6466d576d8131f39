package hotkeys

import (
	"container/heap"
	"math"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// counter keeps the counts of the keys that are accessed most, in bounded
// memory: Space-Saving (Metwally, Agrawal, El Abbadi, "Efficient Computation of
// Frequent and Top-k Elements in Data Streams", 2005), with counts that decay
// exponentially. It has no clock: how much time has passed is told to it.
type counter struct {
	life  time.Duration // after which an access counts 1/e
	slots []*slot       // a heap, the smallest count first
	bound int           // of slots
	byKey map[mesh.Key]*slot
}

// slot counts one key. The true count is between count - excess and count.
type slot struct {
	key    mesh.Key
	count  float64
	excess float64 // of the key whose slot it took
	place  int     // in the heap
}

// negligible is the count below which a slot is given up.
const negligible = 0.5

func newCounter(bound int, life time.Duration) *counter {
	return &counter{life: life, bound: bound, byKey: make(map[mesh.Key]*slot, bound)}
}

// Add counts so many accesses to a key.
func (c *counter) Add(key mesh.Key, accesses float64) {
	if s := c.byKey[key]; s != nil {
		s.count += accesses
		heap.Fix((*byCount)(c), s.place)
		return
	}
	if len(c.slots) < c.bound {
		s := &slot{key: key, count: accesses, place: len(c.slots)}
		c.byKey[key] = s
		heap.Push((*byCount)(c), s)
		return
	}
	s := c.slots[0]
	delete(c.byKey, s.key)
	s.key, s.excess, s.count = key, s.count, s.count+accesses
	c.byKey[key] = s
	heap.Fix((*byCount)(c), 0)
}

// Decay makes all accesses so far count as so much older.
func (c *counter) Decay(passed time.Duration) {
	factor := math.Exp(-passed.Seconds() / c.life.Seconds())
	for _, s := range c.slots { // which keeps their order
		s.count *= factor
		s.excess *= factor
	}
	for len(c.slots) > 0 && c.slots[0].count < negligible {
		s := heap.Pop((*byCount)(c)).(*slot)
		delete(c.byKey, s.key)
	}
}

// Rate is how many accesses per second there certainly were to a key lately.
func (c *counter) Rate(key mesh.Key) float64 {
	if s := c.byKey[key]; s != nil {
		return c.rate(s)
	}
	return 0
}

func (c *counter) rate(s *slot) float64 { return (s.count - s.excess) / c.life.Seconds() }

// byCount is a counter as a heap.Interface.
type byCount counter

func (h *byCount) Len() int           { return len(h.slots) }
func (h *byCount) Less(i, j int) bool { return h.slots[i].count < h.slots[j].count }

func (h *byCount) Swap(i, j int) {
	h.slots[i], h.slots[j] = h.slots[j], h.slots[i]
	h.slots[i].place, h.slots[j].place = i, j
}

func (h *byCount) Push(x any) { h.slots = append(h.slots, x.(*slot)) }

func (h *byCount) Pop() any {
	last := h.slots[len(h.slots)-1]
	h.slots[len(h.slots)-1] = nil
	h.slots = h.slots[:len(h.slots)-1]
	return last
}
