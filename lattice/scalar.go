package lattice

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
)

// Scalar is what a max or a min of kind Value holds: an int64, a float64 that
// is a number, or a byte string. The zero Scalar is none of them.
//
// All scalars stand in one order. Numbers come before byte strings, and are
// ordered by what they are worth, exactly, be they ints or floats; an int
// comes before the float of the same worth.
type Scalar struct {
	form  scalarForm
	whole int64
	float float64
	text  string
}

type scalarForm uint8

const (
	noScalar    scalarForm = 0
	intScalar   scalarForm = 1
	floatScalar scalarForm = 2
	textScalar  scalarForm = 3
)

// IntScalar is an int64.
func IntScalar(n int64) Scalar { return Scalar{form: intScalar, whole: n} }

// FloatScalar is a float64. -0 becomes 0, and NaN the zero Scalar, which Apply refuses.
func FloatScalar(f float64) Scalar {
	switch {
	case f != f:
		return Scalar{}
	case f == 0:
		f = 0
	}
	return Scalar{form: floatScalar, float: f}
}

// TextScalar is a byte string.
func TextScalar(s string) Scalar { return Scalar{form: textScalar, text: s} }

// IsZero reports whether s is the zero Scalar.
func (s Scalar) IsZero() bool { return s.form == noScalar }

// Int gives the int64, if it is one.
func (s Scalar) Int() (n int64, ok bool) { return s.whole, s.form == intScalar }

// Float gives the float64, if it is one.
func (s Scalar) Float() (f float64, ok bool) { return s.float, s.form == floatScalar }

// Text gives the byte string, if it is one.
func (s Scalar) Text() (text string, ok bool) { return s.text, s.form == textScalar }

// Compare gives -1, 0 or 1. The zero Scalar is before all others.
func (s Scalar) Compare(t Scalar) int {
	switch {
	case s.form == t.form:
		return cmp.Or(cmp.Compare(s.whole, t.whole), cmp.Compare(s.float, t.float), cmp.Compare(s.text, t.text))
	case s.form == intScalar && t.form == floatScalar:
		return cmp.Or(compareIntFloat(s.whole, t.float), -1)
	case s.form == floatScalar && t.form == intScalar:
		return cmp.Or(-compareIntFloat(t.whole, s.float), 1)
	}
	return cmp.Compare(s.form, t.form)
}

// compareIntFloat compares without rounding.
func compareIntFloat(n int64, f float64) int {
	const limit = 1 << 63
	switch {
	case f >= limit:
		return -1
	case f < -limit:
		return 1
	}
	floor := math.Floor(f) // within int64 now
	if order := cmp.Compare(n, int64(floor)); order != 0 {
		return order
	}
	return cmp.Compare(floor, f)
}

// String is the number, or the byte string in quotes.
func (s Scalar) String() string {
	switch s.form {
	case intScalar:
		return fmt.Sprint(s.whole)
	case floatScalar:
		return fmt.Sprint(s.float)
	case textScalar:
		return fmt.Sprintf("%q", s.text)
	}
	return "nothing"
}

func (s Scalar) appendTo(dst []byte) []byte {
	dst = append(dst, byte(s.form))
	switch s.form {
	case intScalar:
		return appendUvarint(dst, zigzag(s.whole))
	case floatScalar:
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(s.float))
	case textScalar:
		return appendString(dst, s.text)
	}
	return dst
}

func (d *decoder) scalar() Scalar {
	switch form := scalarForm(d.byte()); form {
	case noScalar:
		return Scalar{}
	case intScalar:
		return IntScalar(unzigzag(d.uvarint()))
	case floatScalar:
		f := d.float()
		if f != f {
			d.fail("NaN is not a scalar")
		}
		return FloatScalar(f)
	case textScalar:
		return TextScalar(d.str())
	default:
		d.fail("%d is not a form of scalar", form)
		return Scalar{}
	}
}
