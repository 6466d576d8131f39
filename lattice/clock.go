package lattice

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
)

// VectorClock counts events per writer; merge takes the larger count of each.
// An absent writer counts as zero, and a zero is never kept, so that equal
// clocks have equal bytes. Its zero value has seen nothing.
type VectorClock struct {
	entries []clockEntry // ascending by writer
	bytes   int          // of the writers' names
}

type clockEntry struct {
	writer string
	count  uint64
}

// NewVectorClock is a clock with the given counts.
func NewVectorClock(counts map[string]uint64) *VectorClock {
	c := &VectorClock{}
	for writer, count := range counts {
		c.raise(writer, count)
	}
	return c
}

func (c *VectorClock) find(writer string) (int, bool) {
	return slices.BinarySearchFunc(c.entries, writer, func(e clockEntry, w string) int {
		return strings.Compare(e.writer, w)
	})
}

// At is the count of writer.
func (c *VectorClock) At(writer string) uint64 {
	if i, found := c.find(writer); found {
		return c.entries[i].count
	}
	return 0
}

// raise makes the count of writer at least count, and reports whether it grew.
func (c *VectorClock) raise(writer string, count uint64) bool {
	i, found := c.find(writer)
	switch {
	case found && c.entries[i].count >= count, count == 0:
		return false
	case found:
		c.entries[i].count = count
	default:
		c.entries = slices.Insert(c.entries, i, clockEntry{writer, count})
		c.bytes += len(writer)
	}
	return true
}

// Tick counts one more event of writer, and gives the delta.
func (c *VectorClock) Tick(writer string) *VectorClock {
	delta := &VectorClock{}
	delta.raise(writer, saturatingAdd(c.At(writer), 1))
	c.Merge(delta)
	return delta
}

// Len is the number of writers with a count.
func (c *VectorClock) Len() int { return len(c.entries) }

// All gives writers and counts, ascending by writer.
func (c *VectorClock) All() iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		for _, e := range c.entries {
			if !yield(e.writer, e.count) {
				return
			}
		}
	}
}

// Merge takes the larger count of each writer.
func (c *VectorClock) Merge(other *VectorClock) (grew bool) {
	for _, e := range other.entries {
		if c.raise(e.writer, e.count) {
			grew = true
		}
	}
	return grew
}

// Compare orders by counts: Less means happened before.
func (c *VectorClock) Compare(other *VectorClock) Order {
	return orderOf(c.within(other), other.within(c))
}

func (c *VectorClock) within(other *VectorClock) bool {
	for _, e := range c.entries {
		if e.count > other.At(e.writer) {
			return false
		}
	}
	return true
}

// Clone copies the clock.
func (c *VectorClock) Clone() *VectorClock {
	return &VectorClock{entries: slices.Clone(c.entries), bytes: c.bytes}
}

// Size is the memory held.
func (c *VectorClock) Size() int { return 32 + 24*len(c.entries) + c.bytes }

// AppendBinary appends the number of writers, then each with its count, ascending.
func (c *VectorClock) AppendBinary(dst []byte) []byte {
	dst = appendUvarint(dst, uint64(len(c.entries)))
	for _, e := range c.entries {
		dst = appendUvarint(appendString(dst, e.writer), e.count)
	}
	return dst
}

// DecodeVectorClock reads what AppendBinary wrote, and nothing else; the error wraps
// ErrMalformed. It keeps nothing of b.
func DecodeVectorClock(b []byte) (*VectorClock, error) { return decodeWhole(b, decodeClock) }

func decodeClock(d *decoder) *VectorClock {
	c := &VectorClock{}
	var previous string
	for i := range d.count() {
		e := clockEntry{d.str(), d.uvarint()}
		if !ascending(d, i, previous, e.writer) {
			return c
		}
		if e.count == 0 {
			d.fail("writer %q has a count of zero", e.writer)
			return c
		}
		c.entries = append(c.entries, e)
		c.bytes += len(e.writer)
		previous = e.writer
	}
	return c
}

// String is "{a:1 b:2}".
func (c *VectorClock) String() string {
	parts := make([]string, len(c.entries))
	for i, e := range c.entries {
		parts[i] = fmt.Sprintf("%s:%d", e.writer, e.count)
	}
	return "{" + strings.Join(parts, " ") + "}"
}

func saturatingAdd(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}

// lexical is a total order of no meaning but sameness.
func (c *VectorClock) lexical(other *VectorClock) int {
	return slices.CompareFunc(c.entries, other.entries, func(a, b clockEntry) int {
		return cmp.Or(strings.Compare(a.writer, b.writer), cmp.Compare(a.count, b.count))
	})
}
