package lattice

import "iter"

// ORMap is an add-wins map of lattices: dropping a key takes away the writes to
// it that were seen, so that one made elsewhere at the same time survives, and
// brings back what its writer put there since the last drop that it saw.
//
// Under each key, each writer keeps one contribution, labelled with the dot of
// its latest write, and the value is their merge. The delta of a write carries
// its writer's contribution to that key. Its zero value is empty.
type ORMap[K Element, V Lattice[V]] struct {
	dotted[*dotMap[K, dotFun[V]]]
}

// Put merges delta into what is at key, for writer, and gives the delta of the
// map. It does not keep delta.
func (m *ORMap[K, V]) Put(writer string, key K, delta V) *ORMap[K, V] {
	dot := m.context.Next(writer)
	contribution, replaced := contribute(m.store.at(key), dot, delta)
	out := &ORMap[K, V]{}
	out.context = replaced
	out.store = &dotMap[K, dotFun[V]]{entries: map[K]dotFun[V]{}}
	out.store.put(key, contribution, 0, false)
	m.Merge(out)
	return out
}

// contribute makes the store, and its context, that replaces what the writer of
// dot contributed to f so far by that and delta.
func contribute[V Lattice[V]](f dotFun[V], dot Dot, delta V) (dotFun[V], CausalContext) {
	value, context := delta.Clone(), NewCausalContext(dot)
	for _, e := range f.entries {
		if e.dot.Writer == dot.Writer {
			value.Merge(e.value)
			context.Add(e.dot)
		}
	}
	return dotFun[V]{}.with(dot, value), *context
}

// merged gives the merge of all contributions, as a value of its own; ok is false if there is none.
func (f dotFun[V]) merged() (v V, ok bool) {
	for _, e := range f.entries {
		if !ok {
			v, ok = e.value.Clone(), true
			continue
		}
		v.Merge(e.value)
	}
	return v, ok
}

// Drop takes key away and gives the delta. A key that is missing is passed over.
func (m *ORMap[K, V]) Drop(key K) *ORMap[K, V] {
	delta := &ORMap[K, V]{}
	delta.context = covering(m.store.at(key).live())
	m.Merge(delta)
	return delta
}

// At gives a copy of what is at key.
func (m *ORMap[K, V]) At(key K) (v V, ok bool) { return m.store.at(key).merged() }

// Contains reports whether something is at key.
func (m *ORMap[K, V]) Contains(key K) bool { return m.store.contains(key) }

// Len is the number of keys.
func (m *ORMap[K, V]) Len() int { return m.store.len() }

// Keys gives the keys in no order, at no cost.
func (m *ORMap[K, V]) Keys() iter.Seq[K] { return m.store.keys() }

// Sorted gives keys and copies of their values, ascending by key; it sorts them first.
func (m *ORMap[K, V]) Sorted() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, key := range m.store.sortedKeys() {
			if v, _ := m.At(key); !yield(key, v) {
				return
			}
		}
	}
}

// Context is the set of dots seen. It must not be changed.
func (m *ORMap[K, V]) Context() *CausalContext { return &m.context }

// Merge unites what is alive.
func (m *ORMap[K, V]) Merge(other *ORMap[K, V]) bool { return m.merge(&other.dotted) }

// Compare orders by what has been seen, put and dropped alike.
func (m *ORMap[K, V]) Compare(other *ORMap[K, V]) Order { return m.compare(&other.dotted) }

// Clone copies the map and its values.
func (m *ORMap[K, V]) Clone() *ORMap[K, V] { return &ORMap[K, V]{m.clone()} }

// Size is the memory held.
func (m *ORMap[K, V]) Size() int { return m.size() }

// AppendBinary appends the context, then the keys, ascending, with their contributions by dot.
func (m *ORMap[K, V]) AppendBinary(dst []byte) []byte { return m.appendTo(dst) }

// DecodeORMap reads what AppendBinary wrote, and nothing else, with decode for
// the values; the error wraps ErrMalformed. It keeps nothing of b if decode does not.
func DecodeORMap[K Element, V Lattice[V]](b []byte, decode func([]byte) (V, error)) (*ORMap[K, V], error) {
	decodeStore := func(d *decoder) dotFun[V] { return decodeDotFun(d, delimited(decode)) }
	return decodeWhole(b, func(d *decoder) *ORMap[K, V] {
		return &ORMap[K, V]{decodeDotted(d, func(d *decoder) *dotMap[K, dotFun[V]] {
			return decodeDotMap[K](d, decodeStore)
		})}
	})
}
