package cellmap

import (
	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// Locked is the right to change the cell of one key, whether there is one or
// not. It holds the lock of the key's shard until Unlock: two keys must not be
// locked at once.
type Locked[M any] struct {
	m      *Map[M]
	s      *shard[M]
	key    mesh.Key
	shard  int
	entry  *entry[M] // nil: no cell
	number uint32    // of the entry
	bytes  int64     // that it is accounted for with
}

// Lock waits for the right to change the cell of a key.
func (m *Map[M]) Lock(key mesh.Key) Locked[M] {
	n, hash := m.hash(key)
	s := &m.shards[n]
	s.mu.Lock()
	l := Locked[M]{m: m, s: s, key: key, shard: n}
	if l.entry, l.number = m.find(s, key, hash); l.entry != nil {
		l.bytes = m.sizeOf(l.entry)
	}
	return l
}

// ShardOf gives the number of the shard in which a key lies.
func (m *Map[M]) ShardOf(key mesh.Key) int {
	n, _ := m.hash(key)
	return n
}

// Shard is the number of the shard in which the key lies.
func (l *Locked[M]) Shard() int { return l.shard }

// Key is the key that is locked.
func (l *Locked[M]) Key() mesh.Key { return l.key }

// Cell gives the cell for reading, or nil if there is none.
func (l *Locked[M]) Cell() *lattice.Cell {
	if l.entry == nil {
		return nil
	}
	l.entry.set(accessed)
	return &l.entry.cell
}

// Peek is Cell, but does not count as use.
func (l *Locked[M]) Peek() *lattice.Cell {
	if l.entry == nil {
		return nil
	}
	return &l.entry.cell
}

// Meta gives what stands beside the cell, for reading and changing; nil if there is no cell.
func (l *Locked[M]) Meta() *M {
	if l.entry == nil {
		return nil
	}
	return &l.entry.meta
}

// Mutable gives the cell for changing, or nil if there is none. A cell that
// was handed out is copied first.
func (l *Locked[M]) Mutable() *lattice.Cell {
	if l.entry == nil {
		return nil
	}
	if l.entry.has(shared) {
		l.entry.cell = l.entry.cell.Clone()
		l.entry.clear(shared)
	}
	return l.Cell()
}

// Share gives the cell away, as Get does; the zero Cell if there is none.
func (l *Locked[M]) Share() lattice.Cell {
	if l.entry == nil {
		return lattice.Cell{}
	}
	l.entry.set(accessed | shared)
	return l.entry.cell
}

// Insert puts a cell, which the map owns from then on, in the place of what
// there was. It does not count as use: who has one must ask for it once more
// before it is worth more than others.
func (l *Locked[M]) Insert(cell lattice.Cell, meta M) {
	cell = l.m.births.share(cell)
	if l.entry != nil {
		l.entry.cell, l.entry.meta = cell, meta
		l.entry.clear(shared)
		return
	}
	e, n := l.s.add()
	e.space, e.name = l.m.spaces.number(l.key)
	e.cell, e.meta = cell, meta
	l.m.index(l.s, n)
	l.m.count.Add(1)
	l.entry, l.number = e, n
}

// Remove forgets the cell, if there is one. It must not be pinned.
func (l *Locked[M]) Remove() {
	if l.entry != nil {
		l.account()
		l.m.remove(l.s, l.number)
		l.entry, l.bytes = nil, 0
		l.m.tidy(l.s)
	}
}

// Unlock gives the right back and accounts for what the cell has come to
// take. The map may be above its limit until the next Trim.
func (l *Locked[M]) Unlock() {
	l.account()
	l.s.mu.Unlock()
}

func (l *Locked[M]) account() {
	if l.entry == nil {
		return
	}
	bytes := l.m.sizeOf(l.entry)
	if grown := bytes - l.bytes; grown != 0 {
		l.bytes = bytes
		l.m.used.Add(grown)
		if l.entry.state&weighed != 0 {
			l.m.pinned.Add(grown)
		}
	}
}
