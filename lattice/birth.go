package lattice

import "time"

// A birth stands in place of the reset of a cell that began out of nothing. It
// is told from a reset by a name that no node has.
//
// Resets order the lives of a key, which works as long as its last delete is
// remembered. A mark of a delete that is forgotten at some replicas must not
// kill, at or from those that still have it, what was written anew: a birth is
// dated so that it is after all marks that may be forgotten by then. And cells
// that began at different moments, because their writers did not know of one
// another, must merge as if they had begun at once. So the later birth
// lifts an earlier birth or reset: the values merge.
//
// Merging in any order gives the same, unless a value meets a birth that is
// later than a delete, which was to kill that value and came after the birth.
// Who forgets a delete has made sure that there is no such value any more.
const birthNode = "+"

// Birth is a moment as of which cells begin. Those that begin with the same
// Birth share the memory for it. The zero Birth is none.
type Birth struct{ frame *frame }

// NewBirth is the birth of cells that are to begin at a time.
func NewBirth(at time.Time) Birth {
	if at.IsZero() || at.UnixMilli() <= 0 {
		return Birth{}
	}
	return Birth{&frame{reset: Stamp{Time: uint64(at.UnixMilli()) << logicalBits, Node: birthNode}}}
}

// Birth gives the birth of a cell that was born and has no more around its value.
func (c Cell) Birth() (b Birth, ok bool) {
	if !c.Born() || c.frame.expiry != nil || c.frame.causes != nil {
		return Birth{}, false
	}
	return Birth{c.frame}, true
}

// WithBirth is the cell, which has a birth equal to b, sharing the memory for it with b.
func (c Cell) WithBirth(b Birth) Cell {
	c.frame = b.frame
	return c
}

func (s Stamp) isBirth() bool { return s.Node == birthNode }

// Began is the stamp of the last deletion, or the birth of a cell that began
// since out of nothing; zero if neither is known.
func (c Cell) Began() Stamp { return c.reset() }

// Born reports whether the cell began out of nothing at a time that is known.
func (c Cell) Born() bool { return c.reset().isBirth() }

func later(s, t Stamp) Stamp {
	if t.After(s) {
		return t
	}
	return s
}
