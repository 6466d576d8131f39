package lattice

import "fmt"

// Max keeps the largest value offered. For floats, NaN is less than all
// others, so that it stays only if nothing else was ever offered, and -0 equals
// 0. Its zero value has been offered nothing.
type Max[T Ordered] struct {
	value T
	set   bool
}

// NewMax is a Max that was offered v.
func NewMax[T Ordered](v T) *Max[T] { return &Max[T]{value: v, set: true} }

// Offer takes v if it is larger, and gives the delta.
func (m *Max[T]) Offer(v T) *Max[T] {
	delta := NewMax(v)
	m.Merge(delta)
	return delta
}

// Get gives the largest value, and whether there was any.
func (m *Max[T]) Get() (v T, ok bool) { return m.value, m.set }

// Merge keeps the larger.
func (m *Max[T]) Merge(other *Max[T]) bool {
	if m.Compare(other) != Less {
		return false
	}
	*m = *other
	return true
}

// Compare never answers Concurrent.
func (m *Max[T]) Compare(other *Max[T]) Order {
	if !m.set || !other.set {
		return orderOf(!m.set, !other.set)
	}
	return Order(compareOrdered(m.value, other.value))
}

// Clone copies it.
func (m *Max[T]) Clone() *Max[T] {
	c := *m
	return &c
}

// Size is the memory held.
func (m *Max[T]) Size() int { return 8 + orderedSize(m.value) }

// AppendBinary appends whether there is a value, and the value.
func (m *Max[T]) AppendBinary(dst []byte) []byte { return appendOptional(dst, m.value, m.set) }

// DecodeMax reads what AppendBinary wrote, and nothing else; the error wraps
// ErrMalformed. It keeps nothing of b.
func DecodeMax[T Ordered](b []byte) (*Max[T], error) {
	return decodeWhole(b, func(d *decoder) *Max[T] {
		m := &Max[T]{}
		m.value, m.set = decodeOptional[T](d)
		return m
	})
}

// String is the value.
func (m *Max[T]) String() string { return optionalString(m.value, m.set) }

func optionalString[T any](v T, set bool) string {
	if !set {
		return "nothing"
	}
	return fmt.Sprint(v)
}
