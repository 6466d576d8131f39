package lattice

import "cmp"

// transaction is one that wrote a cell, and other keys under the same stamp. It
// never changes.
type transaction struct {
	at     Stamp // of all its writes; its Time is not zero
	sealed bool  // the cell's needs tell all that it wrote
}

// Transaction is the one that wrote what the cell now shows, an lww or that it is
// deleted: the stamp of all its writes, zero if what is shown was written without
// one (Write.By), and whether the cell is sealed: then Needs tells all that the
// transaction wrote, in all its keys.
func (c Cell) Transaction() (at Stamp, sealed bool) {
	has := c.causes()
	if has == nil || has.by == nil || !c.shows(has.by.at) {
		return Stamp{}, false
	}
	return has.by.at, has.by.sealed
}

// shows reports whether the cell holds the lww that was written at a time, or
// nothing since it was deleted then.
func (c Cell) shows(at Stamp) bool {
	if c.value.IsZero() {
		return c.ResetAt() == at
	}
	return c.value.Stamp() == at
}

// Deleting gives the delta of a delete, as Apply does of an operation. That of a
// transaction that comes later than the last reset leaves an lww alone that was
// written later still: the delta has that, too.
func (c Cell) Deleting(at Write) (delta Cell) {
	switch {
	case c.outlives(at):
		return NewCell(c.ResetAt(), Value{}).Caused(at)
	case at.By.IsZero() || !c.value.Stamp().After(at.Stamp):
		return NewCell(at.Stamp, Value{}).Caused(at)
	}
	delta = newCell(at.Stamp, c.value.Clone(), c.expiry()).Caused(at)
	delta.AddCauses(c)
	return delta
}

// outlives reports whether a write of a transaction comes no later than the
// cell's last reset, which then wins over it.
func (c Cell) outlives(at Write) bool { return !at.By.IsZero() && !at.Stamp.After(c.ResetAt()) }

// join is the later of two, of the same the sealed one, and t where they are equal.
func (t *transaction) join(other *transaction) *transaction {
	if t.compare(other) < 0 {
		return other
	}
	return t
}

func (t *transaction) compare(other *transaction) int {
	switch {
	case t == other:
		return 0
	case t == nil:
		return -1
	case other == nil:
		return 1
	}
	return cmp.Or(t.at.Compare(other.at), int(orderOf(!t.sealed || other.sealed, t.sealed || !other.sealed)))
}

func (t *transaction) size() int { return 8 + t.at.size() }

func (t *transaction) appendTo(dst []byte) []byte {
	return appendBool(t.at.appendTo(dst), t.sealed)
}

func (d *decoder) transaction() *transaction {
	t := &transaction{at: d.stamp(), sealed: d.bool()}
	if d.err == nil && t.at.Time == 0 {
		d.fail("a transaction at no time")
	}
	return t
}
