package lattice

// causes is what a cell says of how it came about, if it was written by who
// wants that known (Write.Causes). It grows by merging, whatever becomes of the
// value: who reads a register may have to see also what a write depended on
// that lost against another. A cell of a later reset begins without.
type causes struct {
	needs Past // what its writers had seen
	made  Past // the writes themselves, unless the value tells: see Made

	by *transaction // the latest that wrote the cell, which made tells, too; nil: none did
}

// One of these stands where the kind of a value is expected when causes come
// before it: the second if they tell of a transaction. No kind has the numbers.
const (
	causesMark      = 254
	transactionMark = 253
)

func (c Cell) causes() *causes {
	if c.frame == nil {
		return nil
	}
	return c.frame.causes
}

// Needs is what must be seen by who sees the cell: what its writers had seen.
func (c Cell) Needs() Past {
	if has := c.causes(); has != nil {
		return has.needs
	}
	return Past{}
}

// Made are the writes that the cell is made of, as far as they are known: of an
// lww always, of other kinds those that have told their causes.
func (c Cell) Made() Past {
	made := PastOf(c.value.Stamp())
	if has := c.causes(); has != nil {
		made = made.Join(has.made)
	}
	return made
}

// Caused is a cell that a write has just made, Apply or a Reset, with what the
// write tells of its causes.
func (c Cell) Caused(at Write) Cell {
	if at.Causes == nil {
		return c
	}
	has := &causes{needs: *at.Causes, made: PastOf(at.By)}
	if c.value.IsZero() || c.value.kind != LWWKind {
		has.made = has.made.Join(PastOf(at.Stamp))
	}
	if !at.By.IsZero() {
		has.by = &transaction{at.Stamp, at.Sealed}
	}
	return c.withCauses(has)
}

// withCauses is the cell with causes in the place of its own; nil or empty: without.
func (c Cell) withCauses(has *causes) Cell {
	if has != nil && has.needs.IsZero() && has.made.IsZero() {
		has = nil
	}
	if has == c.causes() {
		return c
	}
	return framed(c.value, frame{reset: c.reset(), expiry: c.expiry(), causes: has})
}

// join is what either says; more tells whether that is more than c does.
func (c *causes) join(other *causes) (both *causes, more bool) {
	switch {
	case other == nil || other == c:
		return c, false
	case c == nil:
		return other, true
	}
	needs, made, by := c.needs.Join(other.needs), c.made.Join(other.made), c.by.join(other.by)
	if c.needs.Covers(needs) && c.made.Covers(made) && by == c.by {
		return c, false
	}
	return &causes{needs, made, by}, true
}

func (c *causes) compare(other *causes) Order {
	switch {
	case c == other:
		return Equal
	case c == nil:
		return Less
	case other == nil:
		return Greater
	}
	return c.needs.Compare(other.needs).And(c.made.Compare(other.made)).And(Order(c.by.compare(other.by)))
}

// AddCauses adds the causes of another cell, that of a part of this one.
func (c *Cell) AddCauses(part Cell) {
	if has, more := c.causes().join(part.causes()); more {
		*c = c.withCauses(has)
	}
}

// CausesSize is how much of the encoding of the cell tells of its causes, in bytes.
func (c Cell) CausesSize() int {
	if has := c.causes(); has != nil {
		return len(has.appendTo(nil))
	}
	return 0
}

func (c *causes) size() int {
	size := 56 + c.needs.size() + c.made.size()
	if c.by != nil {
		size += c.by.size()
	}
	return size
}

func (c *causes) appendTo(dst []byte) []byte {
	if c.by == nil {
		return c.made.AppendBinary(c.needs.AppendBinary(append(dst, causesMark)))
	}
	return c.by.appendTo(c.made.AppendBinary(c.needs.AppendBinary(append(dst, transactionMark))))
}

// causes reads what appendTo writes, or nothing if that is not there.
func (d *decoder) causes() *causes {
	if len(d.in) == 0 || d.in[0] != causesMark && d.in[0] != transactionMark {
		return nil
	}
	marked := d.byte()
	c := &causes{needs: d.past(), made: d.past()}
	if d.err == nil && c.needs.IsZero() && c.made.IsZero() {
		d.fail("causes that say nothing")
	}
	if marked == transactionMark {
		c.by = d.transaction()
	}
	return c
}
