package lattice

import (
	"iter"
	"slices"
)

// dotFun holds a lattice value for each dot, ascending by dot. A dot's value
// does not change while it lives, unless its writer broke its word and used the
// dot twice; then the values merge, and replicas still converge.
type dotFun[V Lattice[V]] struct {
	entries []dotValue[V]
	bytes   int // of the values
}

type dotValue[V Lattice[V]] struct {
	dot   Dot
	value V
}

func (f dotFun[V]) find(dot Dot) (int, bool) {
	return slices.BinarySearchFunc(f.entries, dot, func(e dotValue[V], dot Dot) int { return e.dot.Compare(dot) })
}

// with puts in a value, which f keeps. The dot must be new.
func (f dotFun[V]) with(dot Dot, value V) dotFun[V] {
	at, _ := f.find(dot)
	f.entries = slices.Insert(f.entries, at, dotValue[V]{dot, value})
	f.bytes += value.Size()
	return f
}

func (f dotFun[V]) join(other dotFun[V], own, theirs *CausalContext) (joined dotFun[V], grew bool) {
	for _, e := range f.entries {
		at, both := other.find(e.dot)
		switch {
		case both:
			grew = e.value.Merge(other.entries[at].value) || grew
		case theirs.Contains(e.dot):
			grew = true
			continue
		}
		joined = joined.with(e.dot, e.value)
	}
	for _, e := range other.entries {
		if !own.Contains(e.dot) {
			joined = joined.with(e.dot, e.value.Clone())
			grew = true
		}
	}
	return joined, grew
}

func (f dotFun[V]) atMost(other dotFun[V], own *CausalContext) bool {
	for _, e := range other.entries {
		at, both := f.find(e.dot)
		switch {
		case both:
			if order := f.entries[at].value.Compare(e.value); order != Less && order != Equal {
				return false
			}
		case own.Contains(e.dot):
			return false
		}
	}
	return true
}

func (f dotFun[V]) live() iter.Seq[Dot] {
	return func(yield func(Dot) bool) {
		for _, e := range f.entries {
			if !yield(e.dot) {
				return
			}
		}
	}
}

func (f dotFun[V]) empty() bool { return len(f.entries) == 0 }

func (f dotFun[V]) has(dot Dot) bool {
	_, found := f.find(dot)
	return found
}

// values gives the values, ascending by dot.
func (f dotFun[V]) values() iter.Seq[V] {
	return func(yield func(V) bool) {
		for _, e := range f.entries {
			if !yield(e.value) {
				return
			}
		}
	}
}

func (f dotFun[V]) clone() dotFun[V] {
	out := dotFun[V]{entries: slices.Clone(f.entries), bytes: f.bytes}
	for i := range out.entries {
		out.entries[i].value = out.entries[i].value.Clone()
	}
	return out
}

func (f dotFun[V]) size() int { return (dotSize+8)*len(f.entries) + f.bytes }

func (f dotFun[V]) appendTo(dst []byte) []byte {
	dst = appendUvarint(dst, uint64(len(f.entries)))
	var scratch []byte
	for _, e := range f.entries {
		scratch = e.value.AppendBinary(scratch[:0])
		dst = appendBytes(e.dot.appendTo(dst), scratch)
	}
	return dst
}

func decodeDotFun[V Lattice[V]](d *decoder, decodeV func(*decoder) V) dotFun[V] {
	var f dotFun[V]
	var previous Dot
	for i := range d.count() {
		dot := d.dot()
		if !d.dotAfter(i, previous, dot) {
			return f
		}
		value := decodeV(d)
		if d.err != nil {
			return f
		}
		f = f.with(dot, value)
		previous = dot
	}
	return f
}
