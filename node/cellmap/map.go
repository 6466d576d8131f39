// Package cellmap holds decoded cells in memory, up to a bound in bytes, and
// lets go of those that were not used lately. The store's memory tier and the
// cache are such maps; what a cell is beside them (its lease, say) is their
// own affair, and travels as M.
//
// It knows no disk and no network, and decides nothing but what to forget. A
// cell that is pinned is not forgotten.
package cellmap

import (
	"hash/maphash"
	"math/bits"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// Shards is into how many parts a map is divided, each with a lock of its own;
// a power of two. A key's part never changes.
const Shards = 128

// Map is a bounded map from keys to cells. It is safe for concurrent use.
//
// A cell that was handed out by Get is never changed afterwards: the next
// change works on a copy, once. So what Get gives may be read for ever, and
// changes between two Gets are made in place.
type Map[M any] struct {
	limit     int64
	entrySize int64 // what an entry costs beside its cell and its name
	onEvict   func(mesh.Key, M)
	seed      maphash.Seed
	spaces    namespaces
	births    births
	used      atomic.Int64
	pinned    atomic.Int64
	count     atomic.Int64
	victim    atomic.Uint32 // where eviction looks next
	shards    [Shards]shard[M]
}

type shard[M any] struct {
	mu sync.RWMutex
	slab[M]
	index index
	hand  uint32   // the entry at which eviction looks next
	pins  []uint32 // the entries that are listed as pinned
	_     [64]byte // readers of the next shard are not disturbed
}

// New makes a map that holds up to limit bytes. onEvict, if not nil, is told
// of each cell that is let go for want of space, outside of all locks.
func New[M any](limit int64, onEvict func(mesh.Key, M)) *Map[M] {
	return &Map[M]{
		limit: limit, onEvict: onEvict, seed: maphash.MakeSeed(),
		entrySize: int64(reflect.TypeFor[entry[M]]().Size()) + indexCost + chunkCost,
	}
}

// Len is the number of cells held.
func (m *Map[M]) Len() int { return int(m.count.Load()) }

// Bytes is the memory that they take.
func (m *Map[M]) Bytes() int64 { return m.used.Load() }

// Full reports whether another cell is likely to push one out.
func (m *Map[M]) Full() bool { return m.used.Load() >= m.limit-m.limit/16 }

// Reserve counts bytes that are held beside the cells, or no longer if they
// are negative, to what the limit bounds.
func (m *Map[M]) Reserve(bytes int64) { m.used.Add(bytes) }

// Get gives the cell of a key, which must not be changed, and what was put
// beside it. It allocates nothing.
func (m *Map[M]) Get(key mesh.Key) (lattice.Cell, M, bool) {
	s, hash := m.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	e, _ := m.find(s, key, hash)
	if e == nil {
		var none M
		return lattice.Cell{}, none, false
	}
	e.set(accessed | shared)
	return e.cell, e.meta, true
}

// Peek gives what stands beside the cell of a key. It does not count as use.
func (m *Map[M]) Peek(key mesh.Key) (M, bool) {
	s, hash := m.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if e, _ := m.find(s, key, hash); e != nil {
		return e.meta, true
	}
	var none M
	return none, false
}

// View calls read with the cell of a key, which is valid until read returns
// and is not copied for it. It reports whether there is one. read must be
// short: changes to the keys of the same shard wait for it.
func (m *Map[M]) View(key mesh.Key, read func(*lattice.Cell)) bool {
	s, hash := m.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	e, _ := m.find(s, key, hash)
	if e == nil {
		return false
	}
	e.set(accessed)
	read(&e.cell)
	return true
}

// shard gives the part in which a key lies, and what is left of its hash.
func (m *Map[M]) shard(key mesh.Key) (*shard[M], uint32) {
	n, hash := m.hash(key)
	return &m.shards[n], hash
}

func (m *Map[M]) hash(key mesh.Key) (shard int, hash uint32) {
	h := maphash.String(m.seed, key.Name) ^ bits.RotateLeft64(maphash.String(m.seed, key.Namespace), 31)
	return int(h & (Shards - 1)), uint32(h >> 32)
}

// find gives the entry of a key and its number, or nil.
func (m *Map[M]) find(s *shard[M], key mesh.Key, hash uint32) (*entry[M], uint32) {
	for at, left := s.index.first(hash), len(s.index.slots); left > 0; at, left = s.index.after(at), left-1 {
		slot := s.index.slots[at]
		if slot == 0 {
			break
		}
		if !fits(slot, hash) {
			continue
		}
		n := entryOf(slot)
		if e := s.at(n); m.spaces.names(e.space, e.name, key) {
			return e, n
		}
	}
	return nil, 0
}

// keyOf gives the key of an entry.
func (m *Map[M]) keyOf(e *entry[M]) mesh.Key { return m.spaces.key(e.space, e.name) }

// RemoveIf forgets the cells that match, which sees the key and what stands
// beside the cell; those that are pinned stay.
func (m *Map[M]) RemoveIf(match func(mesh.Key, M) bool) {
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		for n := range s.len() {
			if e := s.at(n); e.state&(vacant|held) == 0 && match(m.keyOf(e), e.meta) {
				m.remove(s, n)
			}
		}
		m.tidy(s)
		s.mu.Unlock()
	}
}

// remove forgets an entry. Numbers stay as they are until the shard is tidied.
func (m *Map[M]) remove(s *shard[M], n uint32) {
	e := s.at(n)
	m.used.Add(-m.sizeOf(e))
	m.count.Add(-1)
	s.index.remove(m.hashOf(s, n), n, func(n uint32) uint32 { return m.hashOf(s, n) })
	s.vacate(n)
}

// index notes an entry in the shard's index.
func (m *Map[M]) index(s *shard[M], n uint32) {
	s.index.add(m.hashOf(s, n), n, func(n uint32) uint32 { return m.hashOf(s, n) })
}

func (m *Map[M]) hashOf(s *shard[M], n uint32) uint32 {
	_, hash := m.hash(m.keyOf(s.at(n)))
	return hash
}

// sizeOf is the memory that an entry takes.
func (m *Map[M]) sizeOf(e *entry[M]) int64 {
	return int64(e.cell.Size()) + nameCost(e.name) + m.entrySize
}

// nameCost is what a name takes, as memory is allocated: in units of 8 bytes,
// and in pieces of 16 that small ones share if they are lucky.
func nameCost(name string) int64 { return max(16, int64(len(name)+7)&^7) }
