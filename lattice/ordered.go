package lattice

import (
	"cmp"
	"encoding/binary"
	"math"
	"reflect"
)

// Element is what sets and map keys are made of: every ordered type but the
// floats, whose NaN is not even equal to itself.
type Element interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr | ~string
}

// Ordered is every ordered type of Go.
type Ordered = cmp.Ordered

// compareOrdered is a total order in which NaN equals itself and is the least,
// and -0 equals 0.
func compareOrdered[T Ordered](a, b T) int { return cmp.Compare(a, b) }

// isNaN holds for floats that are not a number.
func isNaN[T Ordered](v T) bool { return v != v }

func orderedSize[T Ordered](v T) int {
	if s, ok := any(v).(string); ok {
		return 16 + len(s)
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.String {
		return 16 + r.Len()
	}
	return 8
}

// appendOrdered encodes a string with its length, a whole number as a varint
// (signed ones in zigzag), a float as its 64 bits with one NaN and one zero.
func appendOrdered[T Ordered](dst []byte, v T) []byte {
	if s, ok := any(v).(string); ok {
		return appendString(dst, s)
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.String:
		return appendString(dst, r.String())
	case reflect.Float32, reflect.Float64:
		return binary.BigEndian.AppendUint64(dst, floatBits(r.Float()))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return appendUvarint(dst, zigzag(r.Int()))
	default:
		return appendUvarint(dst, r.Uint())
	}
}

func decodeOrdered[T Ordered](d *decoder) (v T) {
	if s, ok := any(&v).(*string); ok {
		*s = d.str()
		return v
	}
	switch r := reflect.ValueOf(&v).Elem(); r.Kind() {
	case reflect.String:
		r.SetString(d.str())
	case reflect.Float32, reflect.Float64:
		f := d.float()
		if r.OverflowFloat(f) || r.Kind() == reflect.Float32 && f == f && float64(float32(f)) != f {
			d.fail("%v does not fit %s", f, r.Type())
		}
		r.SetFloat(f)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n := unzigzag(d.uvarint())
		if r.OverflowInt(n) {
			d.fail("%d does not fit %s", n, r.Type())
		}
		r.SetInt(n)
	default:
		n := d.uvarint()
		if r.OverflowUint(n) {
			d.fail("%d does not fit %s", n, r.Type())
		}
		r.SetUint(n)
	}
	return v
}

// floatBits gives all NaN one pattern, and both zeros the other's.
func floatBits(f float64) uint64 {
	switch {
	case f != f:
		return math.Float64bits(math.NaN())
	case f == 0:
		return 0
	}
	return math.Float64bits(f)
}

func (d *decoder) float() float64 {
	b := d.uint64()
	f := math.Float64frombits(b)
	if floatBits(f) != b {
		d.fail("float %#x is not in its one form", b)
	}
	return f
}

func zigzag(n int64) uint64   { return uint64(n)<<1 ^ uint64(n>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// appendOptional encodes a value that may be absent.
func appendOptional[T Ordered](dst []byte, v T, present bool) []byte {
	dst = appendBool(dst, present)
	if !present {
		return dst
	}
	return appendOrdered(dst, v)
}

func decodeOptional[T Ordered](d *decoder) (v T, present bool) {
	if !d.bool() {
		return v, false
	}
	return decodeOrdered[T](d), true
}
