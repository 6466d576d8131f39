package lattice

import (
	"iter"
	"maps"
	"slices"
)

// Set is a set that only grows: merge is union. Merging costs the elements of
// the other set, however large this one is. Its zero value is empty.
type Set[T Element] struct {
	elements map[T]struct{}
	bytes    int
}

// NewSet is a set of elements.
func NewSet[T Element](elements ...T) *Set[T] {
	s := &Set[T]{}
	for _, e := range elements {
		s.insert(e)
	}
	return s
}

func (s *Set[T]) insert(e T) bool {
	if _, has := s.elements[e]; has {
		return false
	}
	if s.elements == nil {
		s.elements = map[T]struct{}{}
	}
	s.elements[e] = struct{}{}
	s.bytes += 16 + orderedSize(e)
	return true
}

// Add inserts elements and gives the delta: those that were new.
func (s *Set[T]) Add(elements ...T) *Set[T] {
	delta := &Set[T]{}
	for _, e := range elements {
		if s.insert(e) {
			delta.insert(e)
		}
	}
	return delta
}

// Contains reports whether e is in the set.
func (s *Set[T]) Contains(e T) bool {
	_, has := s.elements[e]
	return has
}

// Len is the number of elements.
func (s *Set[T]) Len() int { return len(s.elements) }

// All gives the elements in no order, at no cost.
func (s *Set[T]) All() iter.Seq[T] { return maps.Keys(s.elements) }

// Sorted gives the elements in ascending order; it sorts them first.
func (s *Set[T]) Sorted() iter.Seq[T] { return slices.Values(slices.Sorted(s.All())) }

// Intersect is a new set of what both hold.
func (s *Set[T]) Intersect(other *Set[T]) *Set[T] {
	if other.Len() < s.Len() {
		s, other = other, s
	}
	return s.Project(other.Contains)
}

// Project is a new set of the elements that keep holds for.
func (s *Set[T]) Project(keep func(T) bool) *Set[T] {
	out := &Set[T]{}
	for e := range s.elements {
		if keep(e) {
			out.insert(e)
		}
	}
	return out
}

// Merge is union.
func (s *Set[T]) Merge(other *Set[T]) (grew bool) {
	for e := range other.elements {
		if s.insert(e) {
			grew = true
		}
	}
	return grew
}

// Compare orders by inclusion.
func (s *Set[T]) Compare(other *Set[T]) Order {
	return orderOf(s.within(other), other.within(s))
}

func (s *Set[T]) within(other *Set[T]) bool {
	if s.Len() > other.Len() {
		return false
	}
	for e := range s.elements {
		if !other.Contains(e) {
			return false
		}
	}
	return true
}

// Clone copies the set.
func (s *Set[T]) Clone() *Set[T] {
	return &Set[T]{elements: maps.Clone(s.elements), bytes: s.bytes}
}

// Size is the memory held.
func (s *Set[T]) Size() int { return 16 + s.bytes }

// AppendBinary appends the count and the elements in ascending order.
func (s *Set[T]) AppendBinary(dst []byte) []byte {
	dst = appendUvarint(dst, uint64(s.Len()))
	for e := range s.Sorted() {
		dst = appendOrdered(dst, e)
	}
	return dst
}

// DecodeSet reads what AppendBinary wrote, and nothing else; the error wraps
// ErrMalformed. It keeps nothing of b.
func DecodeSet[T Element](b []byte) (*Set[T], error) { return decodeWhole(b, decodeSet[T]) }

func decodeSet[T Element](d *decoder) *Set[T] {
	s := &Set[T]{}
	var previous T
	for i := range d.count() {
		e := decodeOrdered[T](d)
		if !ascending(d, i, previous, e) {
			return s
		}
		s.insert(e)
		previous = e
	}
	return s
}
