package lattice

import (
	"iter"
	"maps"
	"slices"
)

// Map holds a lattice under each key: merge is pointwise, and a key that is
// there stays there (ORMap lets keys go). Its zero value is empty.
type Map[K Element, V Lattice[V]] struct {
	entries map[K]V
	bytes   int
}

// Put merges delta into what is at key, and gives the delta of the map. It keeps neither.
func (m *Map[K, V]) Put(key K, delta V) *Map[K, V] {
	out := &Map[K, V]{}
	out.mergeAt(key, delta)
	m.mergeAt(key, delta)
	return out
}

func (m *Map[K, V]) mergeAt(key K, delta V) bool {
	v, has := m.entries[key]
	if !has {
		m.insert(key, delta.Clone())
		return true
	}
	before := v.Size()
	grew := v.Merge(delta)
	m.bytes += v.Size() - before
	return grew
}

func (m *Map[K, V]) insert(key K, v V) {
	if m.entries == nil {
		m.entries = map[K]V{}
	}
	m.entries[key] = v
	m.bytes += 24 + orderedSize(key) + v.Size()
}

// At gives what is at key. It must not be changed but by Put.
func (m *Map[K, V]) At(key K) (v V, ok bool) {
	v, ok = m.entries[key]
	return v, ok
}

// Contains reports whether something is at key.
func (m *Map[K, V]) Contains(key K) bool {
	_, has := m.entries[key]
	return has
}

// Len is the number of keys.
func (m *Map[K, V]) Len() int { return len(m.entries) }

// Keys gives the keys in no order, at no cost.
func (m *Map[K, V]) Keys() iter.Seq[K] { return maps.Keys(m.entries) }

// Sorted gives keys and values, ascending by key; it sorts them first.
func (m *Map[K, V]) Sorted() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, key := range slices.Sorted(m.Keys()) {
			if !yield(key, m.entries[key]) {
				return
			}
		}
	}
}

// Intersect is a new map of the keys that both have, with both sides' values merged.
func (m *Map[K, V]) Intersect(other *Map[K, V]) *Map[K, V] {
	out := m.Project(other.Contains)
	for key := range out.entries {
		out.mergeAt(key, other.entries[key])
	}
	return out
}

// Project is a new map of the keys that keep holds for.
func (m *Map[K, V]) Project(keep func(K) bool) *Map[K, V] {
	out := &Map[K, V]{}
	for key, v := range m.entries {
		if keep(key) {
			out.insert(key, v.Clone())
		}
	}
	return out
}

// Merge merges pointwise.
func (m *Map[K, V]) Merge(other *Map[K, V]) (grew bool) {
	for key, v := range other.entries {
		if m.mergeAt(key, v) {
			grew = true
		}
	}
	return grew
}

// Compare orders pointwise; a key that is missing is less than any value.
func (m *Map[K, V]) Compare(other *Map[K, V]) Order {
	order := orderOf(m.keysWithin(other), other.keysWithin(m))
	for key, v := range m.entries {
		if order == Concurrent {
			break
		}
		if w, has := other.entries[key]; has {
			order = order.And(v.Compare(w))
		}
	}
	return order
}

func (m *Map[K, V]) keysWithin(other *Map[K, V]) bool {
	if m.Len() > other.Len() {
		return false
	}
	for key := range m.entries {
		if !other.Contains(key) {
			return false
		}
	}
	return true
}

// Clone copies the map and its values.
func (m *Map[K, V]) Clone() *Map[K, V] {
	return m.Project(func(K) bool { return true })
}

// Size is the memory held.
func (m *Map[K, V]) Size() int { return 16 + m.bytes }

// AppendBinary appends the count, then keys and values, each value with its
// length, ascending by key.
func (m *Map[K, V]) AppendBinary(dst []byte) []byte {
	dst = appendUvarint(dst, uint64(m.Len()))
	var scratch []byte
	for key, v := range m.Sorted() {
		scratch = v.AppendBinary(scratch[:0])
		dst = appendBytes(appendOrdered(dst, key), scratch)
	}
	return dst
}

// DecodeMap reads what AppendBinary wrote, and nothing else, with decode for
// the values; the error wraps ErrMalformed. It keeps nothing of b if decode does not.
func DecodeMap[K Element, V Lattice[V]](b []byte, decode func([]byte) (V, error)) (*Map[K, V], error) {
	return decodeWhole(b, func(d *decoder) *Map[K, V] { return decodeMap[K](d, delimited(decode)) })
}

func decodeMap[K Element, V Lattice[V]](d *decoder, decodeV func(*decoder) V) *Map[K, V] {
	m := &Map[K, V]{}
	var previous K
	for i := range d.count() {
		key := decodeOrdered[K](d)
		if !ascending(d, i, previous, key) {
			return m
		}
		v := decodeV(d)
		if d.err != nil {
			return m
		}
		m.insert(key, v)
		previous = key
	}
	return m
}
