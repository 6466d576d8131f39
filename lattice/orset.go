package lattice

import (
	"iter"
	"slices"
)

// ORSet is an add-wins observed-remove set: a remove takes away the additions
// that it has seen, so that an addition elsewhere at the same time survives.
// It holds a dot for each element and a compact context, and no tombstones.
// Its zero value is empty.
type ORSet[T Element] struct {
	dotted[*dotMap[T, dotSet]]
}

// Add puts elements in for writer and gives the delta, which costs the
// elements alone. Each takes a dot, which replaces those that it had.
func (s *ORSet[T]) Add(writer string, elements ...T) *ORSet[T] {
	delta := s.adding(writer, elements)
	s.Merge(delta)
	return delta
}

func (s *ORSet[T]) adding(writer string, elements []T) *ORSet[T] {
	delta := &ORSet[T]{}
	delta.store = &dotMap[T, dotSet]{entries: make(map[T]dotSet, len(elements))}
	next := s.context.Next(writer)
	for _, e := range elements {
		if delta.store.contains(e) {
			continue
		}
		delta.store.put(e, dotSet{next}, 0, false)
		delta.context.Add(next)
		for _, dot := range s.store.at(e) {
			delta.context.Add(dot)
		}
		next.Seq++
	}
	return delta
}

// Remove takes elements away and gives the delta. Those that are not in the set are passed over.
func (s *ORSet[T]) Remove(elements ...T) *ORSet[T] {
	delta := s.removing(elements)
	s.Merge(delta)
	return delta
}

func (s *ORSet[T]) removing(elements []T) *ORSet[T] {
	delta := &ORSet[T]{}
	for _, e := range elements {
		for _, dot := range s.store.at(e) {
			delta.context.Add(dot)
		}
	}
	return delta
}

// Contains reports whether e is in the set.
func (s *ORSet[T]) Contains(e T) bool { return s.store.contains(e) }

// Len is the number of elements.
func (s *ORSet[T]) Len() int { return s.store.len() }

// All gives the elements in no order, at no cost.
func (s *ORSet[T]) All() iter.Seq[T] { return s.store.keys() }

// Sorted gives the elements in ascending order; it sorts them first.
func (s *ORSet[T]) Sorted() iter.Seq[T] { return slices.Values(s.store.sortedKeys()) }

// Context is the set of dots seen. It must not be changed.
func (s *ORSet[T]) Context() *CausalContext { return &s.context }

// Merge unites what is alive. It costs the other set's elements and dots while those are fewer than this set's.
func (s *ORSet[T]) Merge(other *ORSet[T]) bool { return s.merge(&other.dotted) }

// Compare orders by what has been seen, additions and removals alike.
func (s *ORSet[T]) Compare(other *ORSet[T]) Order { return s.compare(&other.dotted) }

// Clone copies the set.
func (s *ORSet[T]) Clone() *ORSet[T] { return &ORSet[T]{s.clone()} }

// Size is the memory held.
func (s *ORSet[T]) Size() int { return s.size() }

// AppendBinary appends the context, then the elements, ascending, with their dots.
func (s *ORSet[T]) AppendBinary(dst []byte) []byte { return s.appendTo(dst) }

// DecodeORSet reads what AppendBinary wrote, and nothing else; the error wraps
// ErrMalformed. It keeps nothing of b.
func DecodeORSet[T Element](b []byte) (*ORSet[T], error) { return decodeWhole(b, decodeORSet[T]) }

func decodeORSet[T Element](d *decoder) *ORSet[T] {
	return &ORSet[T]{decodeDotted(d, func(d *decoder) *dotMap[T, dotSet] {
		return decodeDotMap[T](d, decodeDotSet)
	})}
}
