package lattice

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

const (
	// maxOpDepth is how deep operations on fields may nest.
	maxOpDepth = 16
	// maxDepth is how deep an encoding may nest: an operation, or what the
	// deepest one can build, which is two deeper in an or-map.
	maxDepth = maxOpDepth + 2
)

func appendUvarint(dst []byte, v uint64) []byte { return binary.AppendUvarint(dst, v) }

func appendString(dst []byte, s string) []byte {
	return append(appendUvarint(dst, uint64(len(s))), s...)
}

func appendBytes(dst, b []byte) []byte {
	return append(appendUvarint(dst, uint64(len(b))), b...)
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// decodeWhole runs decode over all of b, of which it keeps nothing.
func decodeWhole[T any](b []byte, decode func(*decoder) T) (T, error) {
	d := decoder{in: b}
	v := decode(&d)
	if err := d.finish(); err != nil {
		var none T
		return none, err
	}
	return v, nil
}

// decoder reads canonical encodings. The first error sticks: later reads give
// zeros and empty strings, so that callers check once, after each loop step
// that could allocate.
type decoder struct {
	in    []byte
	err   error
	depth int
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
		d.in = nil
	}
}

// finish gives the first error, or one if input is left.
func (d *decoder) finish() error {
	if d.err == nil && len(d.in) > 0 {
		d.fail("%d bytes after the end", len(d.in))
	}
	return d.err
}

func (d *decoder) byte() byte {
	if len(d.in) == 0 {
		d.fail("ends too early")
		return 0
	}
	b := d.in[0]
	d.in = d.in[1:]
	return b
}

func (d *decoder) bool() bool {
	b := d.byte()
	if b > 1 {
		d.fail("%d is not a truth value", b)
	}
	return b == 1
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.in)
	switch {
	case n <= 0:
		d.fail("expected a varint of at most 64 bits")
		return 0
	case n != max(1, (bits.Len64(v)+6)/7):
		d.fail("varint %d is longer than it need be", v)
		return 0
	}
	d.in = d.in[n:]
	return v
}

func (d *decoder) uint64() uint64 {
	if len(d.in) < 8 {
		d.fail("ends too early")
		return 0
	}
	v := binary.BigEndian.Uint64(d.in)
	d.in = d.in[8:]
	return v
}

// raw gives the next length-prefixed bytes, within the input.
func (d *decoder) raw() []byte {
	n := d.uvarint()
	if n > uint64(len(d.in)) {
		d.fail("%d bytes announced, %d left", n, len(d.in))
		return nil
	}
	b := d.in[:n]
	d.in = d.in[n:]
	return b
}

// next gives the next n bytes, within the input.
func (d *decoder) next(n int) []byte {
	if n > len(d.in) {
		d.fail("ends too early")
		return nil
	}
	b := d.in[:n]
	d.in = d.in[n:]
	return b
}

func (d *decoder) str() string { return string(d.raw()) }

// bytes gives a copy, so that a value never pins or shares its input.
func (d *decoder) bytes() []byte { return append([]byte{}, d.raw()...) }

// within reads the next length-prefixed bytes, all of them, with read.
func within[T any](d *decoder, read func(*decoder) T) T {
	inner := decoder{in: d.raw(), depth: d.depth, err: d.err}
	v := read(&inner)
	if err := inner.finish(); err != nil && d.err == nil {
		d.err, d.in = err, nil
	}
	return v
}

// delimited makes a reader of length-prefixed bytes from a decoding of whole ones.
func delimited[T any](decode func([]byte) (T, error)) func(*decoder) T {
	return func(d *decoder) T {
		v, err := decode(d.raw())
		if err != nil && d.err == nil {
			d.err, d.in = err, nil
		}
		return v
	}
}

// count reads how many items follow, each of which takes at least one byte.
func (d *decoder) count() int {
	n := d.uvarint()
	if n > uint64(len(d.in)) {
		d.fail("%d items announced, %d bytes left", n, len(d.in))
		return 0
	}
	return int(n)
}

// enter and leave bound the nesting.
func (d *decoder) enter() bool {
	if d.depth == maxDepth {
		d.fail("nested deeper than %d", maxDepth)
		return false
	}
	d.depth++
	return true
}

func (d *decoder) leave() { d.depth-- }

// ascending reports, and fails unless, an item is greater than the one before it.
func ascending[T Ordered](d *decoder, i int, previous, item T) bool {
	if d.err == nil && i > 0 && compareOrdered(previous, item) >= 0 {
		d.fail("item %d is not greater than the one before it", i)
	}
	return d.err == nil
}

// rest gives a copy of all that is left.
func (d *decoder) rest() []byte {
	b := append([]byte{}, d.in...)
	d.in = nil
	return b
}
