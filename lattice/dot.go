package lattice

import (
	"cmp"
	"fmt"
)

// Dot names one write to one key: the Seq-th of Writer, counting from 1. A
// writer numbers its writes of each key without gaps, and never uses a dot
// twice; a store that lost its disk takes a fresh writer name.
type Dot struct {
	Writer string
	Seq    uint64
}

// Compare gives -1, 0 or 1, by Writer and then by Seq.
func (d Dot) Compare(e Dot) int {
	if d.Writer != e.Writer {
		return cmp.Compare(d.Writer, e.Writer)
	}
	return cmp.Compare(d.Seq, e.Seq)
}

// String is "writer:seq".
func (d Dot) String() string { return fmt.Sprintf("%s:%d", d.Writer, d.Seq) }

func (d Dot) appendTo(dst []byte) []byte { return appendUvarint(appendString(dst, d.Writer), d.Seq) }

func (d *decoder) dot() Dot { return Dot{Writer: d.str(), Seq: d.uvarint()} }
