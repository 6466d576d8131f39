package lattice

import (
	"iter"
	"slices"
)

// OrderedSet is a Set that is kept in ascending order at all times: ranges and
// its ends cost nothing to find. It is a list of sorted chunks, so that an
// insertion moves a bounded number of elements. Its zero value is empty.
type OrderedSet[T Element] struct {
	chunks [][]T // each sorted and not empty, each before the next
	len    int
	bytes  int
}

// maxChunk is how many elements a chunk holds before it is cut in two.
const maxChunk = 512

// NewOrderedSet is a set of elements.
func NewOrderedSet[T Element](elements ...T) *OrderedSet[T] {
	s := &OrderedSet[T]{}
	for _, e := range elements {
		s.insert(e)
	}
	return s
}

// find gives the chunk and the place in it where e is, or would be put.
func (s *OrderedSet[T]) find(e T) (chunk, at int, found bool) {
	chunk, found = slices.BinarySearchFunc(s.chunks, e, func(c []T, e T) int {
		return compareOrdered(c[0], e)
	})
	if found {
		return chunk, 0, true
	}
	if chunk = max(chunk-1, 0); chunk == len(s.chunks) {
		return chunk, 0, false
	}
	at, found = slices.BinarySearch(s.chunks[chunk], e)
	return chunk, at, found
}

func (s *OrderedSet[T]) insert(e T) bool {
	chunk, at, found := s.find(e)
	if found {
		return false
	}
	if chunk == len(s.chunks) {
		s.chunks = append(s.chunks, nil)
	}
	s.chunks[chunk] = slices.Insert(s.chunks[chunk], at, e)
	if c := s.chunks[chunk]; len(c) > maxChunk {
		half := len(c) / 2
		s.chunks = slices.Insert(s.chunks, chunk+1, slices.Clone(c[half:]))
		clear(c[half:])
		s.chunks[chunk] = c[:half]
	}
	s.len++
	s.bytes += 8 + orderedSize(e)
	return true
}

// Add inserts elements and gives the delta: those that were new.
func (s *OrderedSet[T]) Add(elements ...T) *OrderedSet[T] {
	delta := &OrderedSet[T]{}
	for _, e := range elements {
		if s.insert(e) {
			delta.insert(e)
		}
	}
	return delta
}

// Contains reports whether e is in the set.
func (s *OrderedSet[T]) Contains(e T) bool {
	_, _, found := s.find(e)
	return found
}

// Len is the number of elements.
func (s *OrderedSet[T]) Len() int { return s.len }

// All gives the elements in ascending order.
func (s *OrderedSet[T]) All() iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, c := range s.chunks {
			for _, e := range c {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// Sorted is All.
func (s *OrderedSet[T]) Sorted() iter.Seq[T] { return s.All() }

// From gives the elements from e on, e included, in ascending order.
func (s *OrderedSet[T]) From(e T) iter.Seq[T] {
	return func(yield func(T) bool) {
		chunk, at, _ := s.find(e)
		for ; chunk < len(s.chunks); chunk++ {
			for _, next := range s.chunks[chunk][at:] {
				if !yield(next) {
					return
				}
			}
			at = 0
		}
	}
}

// First is the least element, if there is any.
func (s *OrderedSet[T]) First() (e T, ok bool) {
	if s.len == 0 {
		return e, false
	}
	return s.chunks[0][0], true
}

// Last is the greatest element, if there is any.
func (s *OrderedSet[T]) Last() (e T, ok bool) {
	if s.len == 0 {
		return e, false
	}
	c := s.chunks[len(s.chunks)-1]
	return c[len(c)-1], true
}

// Intersect is a new set of what both hold.
func (s *OrderedSet[T]) Intersect(other *OrderedSet[T]) *OrderedSet[T] {
	if other.len < s.len {
		s, other = other, s
	}
	return s.Project(other.Contains)
}

// Project is a new set of the elements that keep holds for.
func (s *OrderedSet[T]) Project(keep func(T) bool) *OrderedSet[T] {
	out := &OrderedSet[T]{}
	for e := range s.All() {
		if keep(e) {
			out.insert(e)
		}
	}
	return out
}

// Merge is union.
func (s *OrderedSet[T]) Merge(other *OrderedSet[T]) (grew bool) {
	for e := range other.All() {
		if s.insert(e) {
			grew = true
		}
	}
	return grew
}

// Compare orders by inclusion.
func (s *OrderedSet[T]) Compare(other *OrderedSet[T]) Order {
	return orderOf(s.within(other), other.within(s))
}

func (s *OrderedSet[T]) within(other *OrderedSet[T]) bool {
	if s.len > other.len {
		return false
	}
	for e := range s.All() {
		if !other.Contains(e) {
			return false
		}
	}
	return true
}

// Clone copies the set.
func (s *OrderedSet[T]) Clone() *OrderedSet[T] {
	out := &OrderedSet[T]{chunks: slices.Clone(s.chunks), len: s.len, bytes: s.bytes}
	for i := range out.chunks {
		out.chunks[i] = slices.Clone(out.chunks[i])
	}
	return out
}

// Size is the memory held.
func (s *OrderedSet[T]) Size() int { return 40 + s.bytes }

// AppendBinary appends the count and the elements in ascending order, as a Set does.
func (s *OrderedSet[T]) AppendBinary(dst []byte) []byte {
	dst = appendUvarint(dst, uint64(s.len))
	for e := range s.All() {
		dst = appendOrdered(dst, e)
	}
	return dst
}

// DecodeOrderedSet reads what AppendBinary wrote, and nothing else; the error
// wraps ErrMalformed. It keeps nothing of b.
func DecodeOrderedSet[T Element](b []byte) (*OrderedSet[T], error) {
	return decodeWhole(b, decodeOrderedSet[T])
}

func decodeOrderedSet[T Element](d *decoder) *OrderedSet[T] {
	s := &OrderedSet[T]{}
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
