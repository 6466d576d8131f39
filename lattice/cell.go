package lattice

// Cell is what a store keeps of a key: a Value, an Expiry where one was set, its
// causes where they were told, and the Stamp of the last deletion, which
// dominates all of these. Of two cells the one with the later reset wins whole;
// with equal resets their values merge, their expiries, and their causes. After
// a reset the kind may be another. The zero Cell was
// never written nor deleted.
//
// It is a dominating pair (Wu et al., "Anna: a KVS for any scale", 2018). Like
// a Value, a Cell is a handle; copies share state.
type Cell struct {
	value Value
	frame *frame // never changed; nil where there is neither a reset nor an expiry
}

// frame is what stands around a cell's value. Many cells have the same one, or
// none, and millions of cells lie in memory, so it is apart.
type frame struct {
	reset  Stamp   // or birth
	expiry *Expiry // never changed; nil where none was set
	causes *causes // never changed; nil where none were told
}

func newCell(reset Stamp, value Value, expiry *Expiry) Cell {
	return framed(value, frame{reset: reset, expiry: expiry})
}

func framed(value Value, f frame) Cell {
	if f.reset.IsZero() && f.expiry == nil && f.causes == nil {
		return Cell{value: value}
	}
	held := f // only here is memory taken for it
	return Cell{value: value, frame: &held}
}

func (c Cell) reset() Stamp {
	if c.frame == nil {
		return Stamp{}
	}
	return c.frame.reset
}

func (c Cell) expiry() *Expiry {
	if c.frame == nil {
		return nil
	}
	return c.frame.expiry
}

// NewCell is a cell that holds value, written since the reset; the zero Value for none.
func NewCell(reset Stamp, value Value) Cell { return newCell(reset, value, nil) }

// Value is what the cell holds, and whether it holds anything.
func (c Cell) Value() (v Value, ok bool) { return c.value, !c.value.IsZero() }

// ResetAt is the stamp of the last deletion, zero if there was none since the cell began.
func (c Cell) ResetAt() Stamp {
	if at := c.reset(); !at.isBirth() {
		return at
	}
	return Stamp{}
}

// Deleted reports whether the key was deleted and not written since.
func (c Cell) Deleted() bool { return c.value.IsZero() && !c.ResetAt().IsZero() }

// IsZero reports whether the cell was never written nor deleted.
func (c Cell) IsZero() bool { return c.value.IsZero() && c.frame == nil }

// Reset deletes, and gives the delta. It does nothing unless at is later than
// the last reset.
func (c *Cell) Reset(at Stamp) (delta Cell) {
	delta = newCell(at, Value{}, nil)
	if at.After(c.reset()) {
		*c = delta
	}
	return delta
}

// Apply gives the delta that op makes of the cell, which is not changed. Where
// the cell holds nothing, the value is created with kind; where it holds
// another kind, the error is a KindMismatchError. A cell that has expired is
// begun anew. A write of a transaction that comes no later than the last reset
// gives a delta without a value. With a TTL the delta says when the cell expires;
// without one a set lifts the expiry that the cell has, and other operations
// leave it.
func (c Cell) Apply(kind Kind, op Op, at Write) (delta Cell, err error) {
	if c.expiredBy(at.Now) {
		c = c.Expire()
	}
	if c.outlives(at) {
		return NewCell(c.ResetAt(), Value{}).Caused(at), nil
	}
	if c.value.IsZero() && c.withCauses(nil).frame == nil {
		c.frame = at.Born.frame
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
	delta = Cell{value: value, frame: c.frame}.withCauses(nil)
	if expiry := c.expiryOf(op, at); expiry != c.expiry() {
		delta = newCell(c.reset(), value, expiry)
	}
	return delta.Caused(at), nil
}

// Dominates reports whether delta was made before the cell's last reset, so that merging it changes nothing.
func (c Cell) Dominates(delta Cell) bool { return c.frame != nil && c.ResetAt().After(delta.reset()) }

// Merge merges delta into c in place, and reports whether c grew. Different
// kinds since the same reset give a KindMismatchError and change nothing.
// delta is not changed, and may go on being used.
func (c *Cell) Merge(delta Cell) (grew bool, err error) {
	order := compareResets(c.frame, delta.frame)
	switch {
	case order > 0 && !c.reset().isBirth():
		return false, nil
	case order < 0 && !delta.reset().isBirth():
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
	return c.mergeFrame(delta, order) || grew, nil
}

// mergeFrame takes over the later of two births or resets, ordered so, the
// later expiry, and what more there is of causes. It reports whether there was any.
func (c *Cell) mergeFrame(delta Cell, order int) (grew bool) {
	has, more := c.causes().join(delta.causes())
	extends := compareExpiries(c.expiry(), delta.expiry()) < 0
	switch {
	case has != nil:
		if order >= 0 && !extends && !more {
			return false
		}
		both := frame{reset: later(c.reset(), delta.reset()), expiry: c.expiry(), causes: has}
		if extends {
			both.expiry = delta.expiry()
		}
		*c = framed(c.value, both)
	case order < 0 && !extends && c.expiry() != delta.expiry():
		*c = newCell(delta.reset(), c.value, c.expiry())
	case order > 0 && extends:
		*c = newCell(c.reset(), c.value, delta.expiry())
	case order < 0 || extends:
		c.frame = delta.frame
	default:
		return false
	}
	return true
}

func compareResets(a, b *frame) int {
	if a == b {
		return 0
	}
	return Cell{frame: a}.reset().Compare(Cell{frame: b}.reset())
}

// Compare orders by reset, then by value and expiry.
func (c Cell) Compare(other Cell) Order {
	began := Order(compareResets(c.frame, other.frame))
	if began != Equal && !later(c.reset(), other.reset()).isBirth() {
		return began
	}
	return began.And(c.value.Compare(other.value)).And(Order(compareExpiries(c.expiry(), other.expiry()))).
		And(c.causes().compare(other.causes()))
}

// Clone is a copy that shares no state.
func (c Cell) Clone() Cell {
	return Cell{value: c.value.Clone(), frame: c.frame}
}

// Size is the memory held, in bytes, approximately: what the cell refers to,
// beside the CellSize bytes of the Cell itself.
func (c Cell) Size() int {
	size := c.value.Size()
	if _, born := c.Birth(); c.frame != nil && !born { // births are shared
		size += 8 + c.frame.reset.size()
	}
	if e := c.expiry(); e != nil {
		size += e.size()
	}
	if has := c.causes(); has != nil {
		size += has.size()
	}
	return size
}

// CellSize is what a Cell takes by itself, in bytes.
const CellSize = 32

// AppendBinary appends the canonical encoding: the reset, the expiry and the
// causes if there are any, and the value.
func (c Cell) AppendBinary(dst []byte) []byte {
	dst = c.reset().appendTo(dst)
	if e := c.expiry(); e != nil {
		dst = e.appendTo(dst)
	}
	if has := c.causes(); has != nil {
		dst = has.appendTo(dst)
	}
	return c.value.AppendBinary(dst)
}

// DecodeCell reads what AppendBinary wrote, and nothing else; the error wraps
// ErrMalformed. It keeps nothing of b.
func DecodeCell(b []byte) (Cell, error) {
	return decodeWhole(b, func(d *decoder) Cell {
		reset := d.stamp()
		c := framed(Value{}, frame{reset: reset, expiry: d.expiry(), causes: d.causes()})
		if len(d.in) == 1 && d.in[0] == byte(NoKind) {
			d.byte()
			return c
		}
		c.value = decodeValue(d)
		return c
	})
}
