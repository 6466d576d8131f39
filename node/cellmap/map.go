// Package cellmap holds decoded cells in memory, up to a bound in bytes, and
// lets go of those that were not used lately. The store's memory tier and the
// cache are such maps; what a cell is beside them (its lease, say) is their
// own affair, and travels as M.
//
// It knows no disk and no network, and decides nothing but what to forget.
package cellmap

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// shardCount bounds how many keys wait for one another; a power of two.
const shardCount = 64

// entryOverhead is what a cell costs beside its own size and its key's
// names: the entry, its places in the shard's map and ring.
const entryOverhead = 160

// Map is a bounded map from keys to cells. It is safe for concurrent use.
//
// A cell that was handed out by Get is never changed afterwards: the next
// change works on a copy, once. So what Get gives may be read for ever, and
// changes between two Gets are made in place.
type Map[M any] struct {
	limit   int64
	onEvict func(mesh.Key, M)
	seed    maphash.Seed
	used    atomic.Int64
	count   atomic.Int64
	victim  atomic.Uint32 // where eviction looks next
	shards  [shardCount]shard[M]
}

type shard[M any] struct {
	mu      sync.RWMutex
	entries map[mesh.Key]*entry[M]
	ring    []*entry[M] // the same entries, in the order in which the hand passes
	hand    int
}

type entry[M any] struct {
	key      mesh.Key
	cell     lattice.Cell
	meta     M
	bytes    int64 // as accounted for
	place    int   // in the ring
	shared   atomic.Bool
	accessed atomic.Bool
}

// New makes a map that holds up to limit bytes. onEvict, if not nil, is told
// of each cell that is let go for want of space, outside of all locks.
func New[M any](limit int64, onEvict func(mesh.Key, M)) *Map[M] {
	m := &Map[M]{limit: limit, onEvict: onEvict, seed: maphash.MakeSeed()}
	for i := range m.shards {
		m.shards[i].entries = make(map[mesh.Key]*entry[M])
	}
	return m
}

// Len is the number of cells held.
func (m *Map[M]) Len() int { return int(m.count.Load()) }

// Bytes is the memory that they take.
func (m *Map[M]) Bytes() int64 { return m.used.Load() }

// Full reports whether another cell is likely to push one out.
func (m *Map[M]) Full() bool { return m.used.Load() >= m.limit-m.limit/16 }

// Get gives the cell of a key, which must not be changed, and what was put
// beside it. It allocates nothing.
func (m *Map[M]) Get(key mesh.Key) (lattice.Cell, M, bool) {
	s := m.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	e, ok := s.entries[key]
	if !ok {
		var none M
		return lattice.Cell{}, none, false
	}
	set(&e.accessed)
	set(&e.shared)
	return e.cell, e.meta, true
}

// Peek gives what stands beside the cell of a key. It does not count as use.
func (m *Map[M]) Peek(key mesh.Key) (M, bool) {
	s := m.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if e, ok := s.entries[key]; ok {
		return e.meta, true
	}
	var none M
	return none, false
}

// View calls read with the cell of a key, which is valid until read returns
// and is not copied for it. It reports whether there is one. read must be
// short: changes to the keys of the same shard wait for it.
func (m *Map[M]) View(key mesh.Key, read func(*lattice.Cell)) bool {
	s := m.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	e, ok := s.entries[key]
	if ok {
		set(&e.accessed)
		read(&e.cell)
	}
	return ok
}

// set writes only where it must, so that readers do not contend for the line.
func set(flag *atomic.Bool) {
	if !flag.Load() {
		flag.Store(true)
	}
}

func (m *Map[M]) shard(key mesh.Key) *shard[M] {
	return &m.shards[maphash.String(m.seed, key.Name)&(shardCount-1)]
}

// RemoveIf forgets the cells that match, which sees the key and what stands beside the cell.
func (m *Map[M]) RemoveIf(match func(mesh.Key, M) bool) {
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		for _, e := range s.entries {
			if match(e.key, e.meta) {
				m.remove(s, e)
			}
		}
		s.mu.Unlock()
	}
}

func (m *Map[M]) remove(s *shard[M], e *entry[M]) {
	delete(s.entries, e.key)
	last := len(s.ring) - 1
	s.ring[e.place] = s.ring[last]
	s.ring[e.place].place = e.place
	s.ring[last] = nil
	s.ring = s.ring[:last]
	m.used.Add(-e.bytes)
	m.count.Add(-1)
}

// Trim lets go of cells until the map is within its limit. Whoever changed
// cells calls it, holding no lock that onEvict takes.
func (m *Map[M]) Trim() {
	for m.used.Load() > m.limit && m.Len() > 0 {
		m.evictFrom(&m.shards[m.victim.Add(1)&(shardCount-1)])
	}
}

// evictFrom lets go of the first cell under the hand that was not accessed
// since the hand passed it last (Corbató's clock algorithm), if there is one.
func (m *Map[M]) evictFrom(s *shard[M]) {
	s.mu.Lock()
	e := s.coldest()
	if e != nil {
		m.remove(s, e)
	}
	s.mu.Unlock()
	if e != nil && m.onEvict != nil {
		m.onEvict(e.key, e.meta)
	}
}

func (s *shard[M]) coldest() *entry[M] {
	for range s.ring {
		if s.hand >= len(s.ring) {
			s.hand = 0
		}
		e := s.ring[s.hand]
		if !e.accessed.Swap(false) {
			return e
		}
		s.hand++
	}
	return nil
}
