package cellmap

import (
	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// Locked is the right to change the cell of one key, whether there is one or
// not. It holds the lock of the key's shard until Unlock: two keys must not be
// locked at once.
type Locked[M any] struct {
	m     *Map[M]
	shard *shard[M]
	key   mesh.Key
	entry *entry[M] // nil: no cell
}

// Lock waits for the right to change the cell of a key.
func (m *Map[M]) Lock(key mesh.Key) Locked[M] {
	s := m.shard(key)
	s.mu.Lock()
	return Locked[M]{m: m, shard: s, key: key, entry: s.entries[key]}
}

// Cell gives the cell for reading, or nil if there is none.
func (l *Locked[M]) Cell() *lattice.Cell {
	if l.entry == nil {
		return nil
	}
	set(&l.entry.accessed)
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
	if l.entry.shared.Load() {
		l.entry.cell = l.entry.cell.Clone()
		l.entry.shared.Store(false)
	}
	return l.Cell()
}

// Share gives the cell away, as Get does; the zero Cell if there is none.
func (l *Locked[M]) Share() lattice.Cell {
	if l.entry == nil {
		return lattice.Cell{}
	}
	set(&l.entry.accessed)
	set(&l.entry.shared)
	return l.entry.cell
}

// Insert puts a cell, which the map owns from then on, in the place of what
// there was.
func (l *Locked[M]) Insert(cell lattice.Cell, meta M) {
	if l.entry != nil {
		l.entry.cell, l.entry.meta = cell, meta
		l.entry.shared.Store(false)
		return
	}
	e := &entry[M]{key: l.key, cell: cell, meta: meta, place: len(l.shard.ring)}
	l.shard.entries[l.key] = e
	l.shard.ring = append(l.shard.ring, e)
	l.m.count.Add(1)
	l.entry = e
}

// Remove forgets the cell, if there is one.
func (l *Locked[M]) Remove() {
	if l.entry != nil {
		l.m.remove(l.shard, l.entry)
		l.entry = nil
	}
}

// Unlock gives the right back and accounts for what the cell has come to
// take. The map may be above its limit until the next Trim.
func (l *Locked[M]) Unlock() {
	if e := l.entry; e != nil {
		bytes := int64(e.cell.Size()+len(e.key.Namespace)+len(e.key.Name)) + entryOverhead
		l.m.used.Add(bytes - e.bytes)
		e.bytes = bytes
	}
	l.shard.mu.Unlock()
}
