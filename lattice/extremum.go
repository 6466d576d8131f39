package lattice

// extremum is the dynamic max and min: the best of the scalars offered. sign
// is 1 where the largest is best, -1 where the smallest is.
type extremum struct {
	best Scalar
	sign int8
}

// Merge keeps the better.
func (x *extremum) Merge(other *extremum) bool {
	if x.Compare(other) != Less {
		return false
	}
	x.best = other.best
	return true
}

// Compare never answers Concurrent.
func (x *extremum) Compare(other *extremum) Order {
	if x.best.IsZero() || other.best.IsZero() {
		return orderOf(x.best.IsZero(), other.best.IsZero())
	}
	return Order(x.best.Compare(other.best) * int(x.sign))
}

// Clone copies it.
func (x *extremum) Clone() *extremum {
	c := *x
	return &c
}

// Size is the memory held.
func (x *extremum) Size() int { return 48 + len(x.best.text) }

// AppendBinary appends the scalar.
func (x *extremum) AppendBinary(dst []byte) []byte { return x.best.appendTo(dst) }
