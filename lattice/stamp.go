package lattice

import (
	"cmp"
	"fmt"
	"time"
	"unique"
)

// logicalBits is how many low bits of Stamp.Time count events within one millisecond.
const logicalBits = 16

// Stamp says when a write happened, in a total order over the whole mesh. Time
// is a hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014):
// milliseconds of the Unix epoch in the upper 48 bits, a logical counter in
// the lower 16. Node breaks ties. The zero Stamp is before all others.
type Stamp struct {
	Time uint64
	Node string
}

// Compare gives -1, 0 or 1, by Time and then by Node.
func (s Stamp) Compare(t Stamp) int {
	if s.Time != t.Time {
		return cmp.Compare(s.Time, t.Time)
	}
	return cmp.Compare(s.Node, t.Node)
}

// After reports whether s is later than t.
func (s Stamp) After(t Stamp) bool { return s.Compare(t) > 0 }

// IsZero reports whether s is the zero Stamp.
func (s Stamp) IsZero() bool { return s == Stamp{} }

// Physical is the wall-clock part, in UTC.
func (s Stamp) Physical() time.Time {
	return time.UnixMilli(int64(s.Time >> logicalBits)).UTC()
}

// Next is the stamp of an event that follows s, at a moment when the wall
// clock reads physical. It is always after s (up to the year 10889, when the 48
// bits are full): when the wall clock has not advanced, or the logical counter
// is full, it runs ahead of it. To follow a remote stamp too, take the Next of
// the later of the two.
func (s Stamp) Next(physical time.Time) Stamp {
	var now uint64
	if ms := physical.UnixMilli(); ms > 0 {
		now = uint64(ms) << logicalBits
	}
	return Stamp{Time: max(s.Time+1, now), Node: s.Node}
}

// String is the wall-clock time, the logical counter and the node.
func (s Stamp) String() string {
	return fmt.Sprintf("%s.%d@%s", s.Physical().Format("2006-01-02T15:04:05.000Z"), s.Time&(1<<logicalBits-1), s.Node)
}

func (s Stamp) size() int { return 24 + len(s.Node) }

func (s Stamp) appendTo(dst []byte) []byte {
	return appendString(appendUvarint(dst, s.Time), s.Node)
}

// stamp reads a stamp. There are few nodes and many stamps, so that equal
// names share their bytes.
func (d *decoder) stamp() Stamp {
	s := Stamp{Time: d.uvarint()}
	if node := d.raw(); len(node) > 0 {
		s.Node = unique.Make(string(node)).Value()
	}
	return s
}
