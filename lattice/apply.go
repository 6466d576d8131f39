package lattice

import (
	"fmt"
	"math"
	"time"
)

// Write says who makes a write and when. The node that takes an operation
// fills it in.
type Write struct {
	// Stamp is later than every stamp that the node has given or seen, unless there
	// is By.
	Stamp Stamp
	// Writer owns the dots and counter entries of the write. It is one store,
	// which holds all its earlier writes of the key durably and applies under
	// the key's lock; a store that lost its disk takes a fresh name.
	Writer string
	// Now is the wall clock, by which a Cell tells what has expired. The zero
	// time is before every expiry.
	Now time.Time
	// TTL, if positive, is how long from Now on a Cell is kept: Expiry.
	TTL time.Duration
	// Born, unless it is zero, is the moment as of which a Cell begins that was
	// never written nor deleted: deletes before it leave the cell alone, as if
	// they were forgotten, and later ones end it.
	Born Birth

	// Causes, unless it is nil, has a Cell tell what the writer had seen, and
	// that this write was made: Cell.Needs, Cell.Made.
	Causes *Past
	// By, unless it is zero, says that the write is one of a transaction, which has
	// drawn Stamp for all of its writes; By is the node's own stamp of this one, as
	// Stamp is of others, and told by Cell.Made beside it. The write can be made
	// again: it loses against a later reset of the cell, and if it is a delete, which
	// Cell.Deleting makes, against a later lww. It takes Causes for Cell.Transaction
	// to tell of it.
	By Stamp
	// Sealed, with By, says that Causes have all writes of the transaction.
	Sealed bool

	// ID, unless it is zero, is the same for all attempts of the write: a
	// counter counts it once, whoever makes it how often.
	ID WriteID
	// Fate tells how an earlier write of the writer's with an ID went. Nil: it
	// knows of none.
	Fate func(WriteID) Fate

	// least is the smallest count that a causal register or a counter within an
	// or-map may give the writer: counts must not start again when a field is dropped.
	least uint64
}

// Apply gives the delta that op makes of state: what is to be merged into it,
// here and at every other replica. The delta is small whatever the size of
// state, which is not changed. A verb that the kind does not have is a
// NoSuchVerbError, a field of another kind a KindMismatchError; an argument
// out of bounds wraps ErrInvalid.
func Apply(state Value, op Op, at Write) (delta Value, err error) {
	if err := state.kind.mustHave(op.verb); err != nil {
		return Value{}, err
	}
	if op.depth() > maxOpDepth {
		return Value{}, fmt.Errorf("%w: operation nested %d deep: expected at most %d", ErrInvalid, op.depth(), maxOpDepth)
	}
	switch state.kind {
	case BoolKind:
		return applied(state, op, at, applyBool)
	case MaxKind, MinKind:
		return applied(state, op, at, applyExtremum)
	case SetKind:
		return applied(state, op, at, applySet)
	case OrderedSetKind:
		return applied(state, op, at, applyOrderedSet)
	case MapKind:
		return applied(state, op, at, applyMap)
	case LWWKind:
		return applied(state, op, at, applyLWW)
	case PriorityKind:
		return applied(state, op, at, applyPriority)
	case ClockKind:
		return applied(state, op, at, applyClock)
	case CausalKind:
		return applied(state, op, at, applyCausal)
	case MultiCausalKind:
		return applied(state, op, at, applyMultiCausal)
	case GCounterKind:
		return applied(state, op, at, applyGCounter)
	case PNCounterKind:
		return applied(state, op, at, applyPNCounter)
	case ORSetKind:
		return applied(state, op, at, applyORSet)
	case ORMapKind:
		return applied(state, op, at, applyObject)
	case MVRegisterKind:
		return applied(state, op, at, applyMVRegister)
	case FlagKind:
		return applied(state, op, at, applyFlag)
	}
	panic(fmt.Sprintf("lattice: Apply to a %s", state.kind))
}

// applied applies op to the static type within v.
func applied[L Lattice[L]](v Value, op Op, at Write, apply func(L, Op, Write) (L, error)) (Value, error) {
	delta, err := apply(v.state.(box[L]).l, op, at)
	if err != nil {
		return Value{}, err
	}
	return boxed(v.kind, delta), nil
}

func applyBool(*Bool, Op, Write) (*Bool, error) { return &Bool{on: true}, nil }

func applyExtremum(x *extremum, op Op, _ Write) (*extremum, error) {
	offered := op.args.(offerArgs).Scalar
	if offered.IsZero() {
		return nil, fmt.Errorf("%w: expected a number or a byte string to be offered", ErrInvalid)
	}
	return &extremum{best: offered, sign: x.sign}, nil
}

func applySet(_ *Set[string], op Op, _ Write) (*Set[string], error) {
	return NewSet(op.args.(elementArgs)...), nil
}

func applyOrderedSet(_ *OrderedSet[string], op Op, _ Write) (*OrderedSet[string], error) {
	return NewOrderedSet(op.args.(elementArgs)...), nil
}

func applyMap(m *valueMap, op Op, at Write) (*valueMap, error) {
	put := op.args.(putArgs)
	if !put.kind.Valid() {
		return nil, fmt.Errorf("%w: field %q of %s: expected a kind", ErrInvalid, put.field, put.kind)
	}
	state := New(put.kind)
	if field, has := m.At(put.field); has {
		if field.kind != put.kind {
			return nil, &KindMismatchError{Have: field.kind, Got: put.kind, Field: put.field}
		}
		state = field.Value
	}
	delta, err := Apply(state, put.op, at)
	if err != nil {
		return nil, inField(put.field, err)
	}
	out := &valueMap{}
	out.insert(put.field, &nested{delta})
	return out, nil
}

func applyLWW(_ *LWW, op Op, at Write) (*LWW, error) {
	set := op.args.(setArgs)
	if err := set.mustBe(LWWKind, plainSet); err != nil {
		return nil, err
	}
	return NewLWW(at.Stamp, set.payload), nil
}

func applyPriority(_ *Priority, op Op, _ Write) (*Priority, error) {
	set := op.args.(setArgs)
	if err := set.mustBe(PriorityKind, prioritySet); err != nil {
		return nil, err
	}
	if isNaN(set.priority) {
		return nil, fmt.Errorf("%w: priority NaN: expected a number", ErrInvalid)
	}
	return NewPriority(set.priority, set.payload), nil
}

func applyClock(c *VectorClock, op Op, at Write) (*VectorClock, error) {
	if op.verb == VerbObserve {
		return op.args.(observeArgs).seen.Clone(), nil
	}
	delta := &VectorClock{}
	delta.raise(at.Writer, saturatingAdd(c.At(at.Writer), 1))
	return delta, nil
}

func applyCausal(c *Causal, op Op, at Write) (*Causal, error) {
	set := op.args.(setArgs)
	if err := set.mustBe(CausalKind, plainSet); err != nil {
		return nil, err
	}
	return c.setting(at.Writer, at.least, set.payload), nil
}

func applyMultiCausal(c *MultiCausal, op Op, at Write) (*MultiCausal, error) {
	set := op.args.(setArgs)
	if err := set.mustBe(MultiCausalKind, plainSet, dependentSet); err != nil {
		return nil, err
	}
	return c.setting(at.Writer, at.least, set.payload, set.deps), nil
}

func applyGCounter(g *GCounter, op Op, at Write) (*GCounter, error) {
	n := int64(op.args.(incArgs))
	if n < 0 {
		return nil, fmt.Errorf("%w: inc %d of a gcounter: expected at least 0", ErrInvalid, n)
	}
	return g.counting(at, uint64(n))
}

func applyPNCounter(c *PNCounter, op Op, at Write) (*PNCounter, error) {
	return c.counting(at, int64(op.args.(incArgs)))
}

func applyORSet(s *ORSet[string], op Op, at Write) (*ORSet[string], error) {
	elements := op.args.(elementArgs)
	if op.verb == VerbRemove {
		return s.removing(elements), nil
	}
	if err := s.context.hasNext(at.Writer, len(elements)); err != nil {
		return nil, err
	}
	return s.adding(at.Writer, elements), nil
}

func applyMVRegister(r *MVRegister, op Op, at Write) (*MVRegister, error) {
	set := op.args.(setArgs)
	if err := set.mustBe(MVRegisterKind, plainSet); err != nil {
		return nil, err
	}
	if err := r.context.hasNext(at.Writer, 1); err != nil {
		return nil, err
	}
	return r.setting(at.Writer, set.payload), nil
}

func applyFlag(f *Flag, op Op, at Write) (*Flag, error) {
	if op.verb == VerbDisable {
		return f.disabling(), nil
	}
	if err := f.context.hasNext(at.Writer, 1); err != nil {
		return nil, err
	}
	return f.enabling(at.Writer), nil
}

// hasNext is an error if writer has not n more dots to give.
func (c *CausalContext) hasNext(writer string, n int) error {
	if c.Highest(writer) > math.MaxUint64-uint64(n) {
		return fmt.Errorf("%w: writer %q has used up its dots", ErrInvalid, writer)
	}
	return nil
}
