package lattice

import "iter"

// Payload gives what an lww holds: its payload, which must not be changed, and
// when it was written. ok is false for other kinds and before the first write. It allocates nothing.
func (v Value) Payload() (payload []byte, stamp Stamp, ok bool) {
	if l, is := unboxed[*LWW](v); is {
		return l.Get()
	}
	return nil, Stamp{}, false
}

// elements is what sets have in common.
type elements interface {
	Contains(string) bool
	Len() int
	All() iter.Seq[string]
	Sorted() iter.Seq[string]
}

func (v Value) elements() (elements, bool) {
	switch v.kind {
	case SetKind:
		return unboxed[*Set[string]](v)
	case ORSetKind:
		return unboxed[*ORSet[string]](v)
	}
	return nil, false
}

// Elements gives the elements of a set, an ordered-set or an or-set in
// ascending order. Other kinds have none.
func (v Value) Elements() iter.Seq[string] {
	if set, ok := v.elements(); ok {
		return set.Sorted()
	}
	return func(func(string) bool) {}
}

// Contains reports whether a set, an ordered-set or an or-set holds element.
func (v Value) Contains(element string) bool {
	set, ok := v.elements()
	return ok && set.Contains(element)
}

// Len is the number of elements of a set, an ordered-set or an or-set, and 0 for other kinds.
func (v Value) Len() int {
	if set, ok := v.elements(); ok {
		return set.Len()
	}
	return 0
}

// Count is the value of a gcounter, held within int64 from both sides. ok is false for other kinds.
func (v Value) Count() (n int64, ok bool) {
	if g, is := unboxed[*GCounter](v); is {
		return clampInt64(g.Value()), true
	}
	return 0, false
}
