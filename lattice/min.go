package lattice

// Min keeps the smallest value offered. For floats, NaN is greater than all
// others, so that it stays only if nothing else was ever offered, and -0 equals
// 0. Its zero value has been offered nothing.
type Min[T Ordered] struct {
	value T
	set   bool
}

// NewMin is a Min that was offered v.
func NewMin[T Ordered](v T) *Min[T] { return &Min[T]{value: v, set: true} }

// Offer takes v if it is smaller, and gives the delta.
func (m *Min[T]) Offer(v T) *Min[T] {
	delta := NewMin(v)
	m.Merge(delta)
	return delta
}

// Get gives the smallest value, and whether there was any.
func (m *Min[T]) Get() (v T, ok bool) { return m.value, m.set }

// Merge keeps the smaller.
func (m *Min[T]) Merge(other *Min[T]) bool {
	if m.Compare(other) != Less {
		return false
	}
	*m = *other
	return true
}

// Compare never answers Concurrent; the smaller value is the greater Min.
func (m *Min[T]) Compare(other *Min[T]) Order {
	if !m.set || !other.set {
		return orderOf(!m.set, !other.set)
	}
	return compareMin(m.value, other.value)
}

// compareMin orders values for a lowest-wins lattice, with NaN as the worst.
func compareMin[T Ordered](a, b T) Order {
	if isNaN(a) || isNaN(b) {
		return orderOf(isNaN(a), isNaN(b))
	}
	return Order(compareOrdered(b, a))
}

// Clone copies it.
func (m *Min[T]) Clone() *Min[T] {
	c := *m
	return &c
}

// Size is the memory held.
func (m *Min[T]) Size() int { return 8 + orderedSize(m.value) }

// AppendBinary appends whether there is a value, and the value.
func (m *Min[T]) AppendBinary(dst []byte) []byte { return appendOptional(dst, m.value, m.set) }

// DecodeMin reads what AppendBinary wrote, and nothing else; the error wraps
// ErrMalformed. It keeps nothing of b.
func DecodeMin[T Ordered](b []byte) (*Min[T], error) {
	return decodeWhole(b, func(d *decoder) *Min[T] {
		m := &Min[T]{}
		m.value, m.set = decodeOptional[T](d)
		return m
	})
}

// String is the value.
func (m *Min[T]) String() string { return optionalString(m.value, m.set) }
