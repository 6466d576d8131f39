package lattice

import "fmt"

// Bool goes from false to true and never back: merge is or. Its zero value is false.
type Bool struct {
	on bool
}

// Enable turns it on and gives the delta.
func (b *Bool) Enable() *Bool {
	b.on = true
	return &Bool{on: true}
}

// Value is what it is.
func (b *Bool) Value() bool { return b.on }

// Merge is or.
func (b *Bool) Merge(other *Bool) (grew bool) {
	grew = other.on && !b.on
	b.on = b.on || other.on
	return grew
}

// Compare has false less than true.
func (b *Bool) Compare(other *Bool) Order { return orderOf(!b.on || other.on, b.on || !other.on) }

// Clone copies it.
func (b *Bool) Clone() *Bool { return &Bool{on: b.on} }

// Size is the memory held.
func (b *Bool) Size() int { return 1 }

// AppendBinary appends one byte, 0 or 1.
func (b *Bool) AppendBinary(dst []byte) []byte { return appendBool(dst, b.on) }

// DecodeBool reads what AppendBinary wrote, and nothing else; the error wraps
// ErrMalformed. It keeps nothing of b.
func DecodeBool(b []byte) (*Bool, error) { return decodeWhole(b, decodeBool) }

func decodeBool(d *decoder) *Bool { return &Bool{on: d.bool()} }

// String is "true" or "false".
func (b *Bool) String() string { return fmt.Sprint(b.on) }
