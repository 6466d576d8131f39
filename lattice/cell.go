package lattice

// Cell is what a store keeps of a key: a Value, an Expiry where one was set,
// and the Stamp of the last deletion, which both dominate. Of two cells the one
// with the later reset wins whole; with equal resets their values merge, and
// their expiries. After a reset the kind may be another. The zero Cell was
// never written nor deleted.
//
// It is a dominating pair (Wu et al., "Anna: a KVS for any scale", 2018). Like
// a Value, a Cell is a handle; copies share state.
type Cell struct {
	reset  Stamp // or birth
	value  Value
	expiry *Expiry // never changed; nil where none was set
}

// NewCell is a cell that holds value, written since the reset; the zero Value for none.
func NewCell(reset Stamp, value Value) Cell { return Cell{reset: reset, value: value} }

// Value is what the cell holds, and whether it holds anything.
func (c Cell) Value() (v Value, ok bool) { return c.value, !c.value.IsZero() }

// ResetAt is the stamp of the last deletion, zero if there was none since the cell began.
func (c Cell) ResetAt() Stamp {
	if c.reset.isBirth() {
		return Stamp{}
	}
	return c.reset
}

// Deleted reports whether the key was deleted and not written since.
func (c Cell) Deleted() bool { return c.value.IsZero() && !c.ResetAt().IsZero() }

// IsZero reports whether the cell was never written nor deleted.
func (c Cell) IsZero() bool { return c.value.IsZero() && c.reset.IsZero() && c.expiry == nil }

// Reset deletes, and gives the delta. It does nothing unless at is later than
// the last reset.
func (c *Cell) Reset(at Stamp) (delta Cell) {
	delta = Cell{reset: at}
	if at.After(c.reset) {
		*c = delta
	}
	return delta
}

// Apply gives the delta that op makes of the cell, which is not changed. Where
// the cell holds nothing, the value is created with kind; where it holds
// another kind, the error is a KindMismatchError. A cell that has expired is
// begun anew. With a TTL the delta says when the cell expires; without one a
// set lifts the expiry that the cell has, and other operations leave it.
func (c Cell) Apply(kind Kind, op Op, at Write) (delta Cell, err error) {
	if c.expiredBy(at.Now) {
		c = c.Expire()
	}
	if c.IsZero() {
		c.reset = birth(at.Born)
	}
	state := c.value
	switch {
	case !kind.Valid() || !state.IsZero() && state.kind != kind:
		return Cell{}, &KindMismatchError{Have: state.kind, Got: kind}
	case state.IsZero():
		state = New(kind)
	}
	value, err := Apply(state, op, at)
	if err != nil {
		return Cell{}, err
	}
	return Cell{reset: c.reset, value: value, expiry: c.expiryOf(op, at)}, nil
}

// Dominates reports whether delta was made before the cell's last reset, so that merging it changes nothing.
func (c Cell) Dominates(delta Cell) bool { return c.ResetAt().After(delta.reset) }

// Merge merges delta into c in place, and reports whether c grew. Different
// kinds since the same reset give a KindMismatchError and change nothing.
// delta is not changed, and may go on being used.
func (c *Cell) Merge(delta Cell) (grew bool, err error) {
	order := c.reset.Compare(delta.reset)
	switch {
	case order > 0 && !c.reset.isBirth():
		return false, nil
	case order < 0 && !delta.reset.isBirth():
		*c = delta.Clone()
		return true, nil
	case delta.value.IsZero():
	case c.value.IsZero():
		c.value = delta.value.Clone()
		grew = true
	default:
		if grew, err = c.value.Merge(delta.value); err != nil {
			return false, err
		}
	}
	if order < 0 {
		c.reset = delta.reset
		grew = true
	}
	if compareExpiries(c.expiry, delta.expiry) < 0 {
		c.expiry = delta.expiry
		grew = true
	}
	return grew, nil
}

// Compare orders by reset, then by value and expiry.
func (c Cell) Compare(other Cell) Order {
	began := Order(c.reset.Compare(other.reset))
	if began != Equal && !later(c.reset, other.reset).isBirth() {
		return began
	}
	return began.And(c.value.Compare(other.value)).And(Order(compareExpiries(c.expiry, other.expiry)))
}

// Clone is a copy that shares no state.
func (c Cell) Clone() Cell {
	return Cell{reset: c.reset, value: c.value.Clone(), expiry: c.expiry}
}

// Size is the memory held, in bytes, approximately.
func (c Cell) Size() int {
	size := c.reset.size() + 32 + c.value.Size()
	if c.expiry != nil {
		size += c.expiry.size()
	}
	return size
}

// AppendBinary appends the canonical encoding: the reset, the expiry if there
// is one, and the value.
func (c Cell) AppendBinary(dst []byte) []byte {
	dst = c.reset.appendTo(dst)
	if c.expiry != nil {
		dst = c.expiry.appendTo(dst)
	}
	return c.value.AppendBinary(dst)
}

// DecodeCell reads what AppendBinary wrote, and nothing else; the error wraps
// ErrMalformed. It keeps nothing of b.
func DecodeCell(b []byte) (Cell, error) {
	return decodeWhole(b, func(d *decoder) Cell {
		c := Cell{reset: d.stamp(), expiry: d.expiry()}
		if len(d.in) == 1 && d.in[0] == byte(NoKind) {
			d.byte()
			return c
		}
		c.value = decodeValue(d)
		return c
	})
}
