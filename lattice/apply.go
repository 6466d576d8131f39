package lattice

import (
	"fmt"
	"math"
	"slices"
)

// Write says who makes a write and when. The node that takes an operation
// fills it in.
type Write struct {
	// Stamp is later than every stamp that the node has given or seen.
	Stamp Stamp
	// Writer owns the dots and counter entries of the write. It is one store,
	// which holds all its earlier writes of the key durably and applies under
	// the key's lock; a store that lost its disk takes a fresh name.
	Writer string
}

// Apply gives the delta that op makes of state: what is to be merged into it,
// here and at every other replica. The delta is small whatever the size of
// state, which is not changed. A verb that the kind does not have is a
// NoSuchVerbError; an argument out of bounds wraps ErrInvalid.
func Apply(state Value, op Op, at Write) (delta Value, err error) {
	if !slices.Contains(state.kind.Verbs(), op.verb) {
		return Value{}, &NoSuchVerbError{Kind: state.kind, Verb: op.verb, Has: state.kind.Verbs()}
	}
	switch kind := state.kind; kind {
	case LWWKind:
		return boxed(kind, NewLWW(at.Stamp, op.args.(setArgs).payload)), nil
	case SetKind:
		return boxed(kind, NewSet(op.args.(elementArgs)...)), nil
	case GCounterKind:
		return applyGCounter(state, op.args.(incArgs), at)
	case ORSetKind:
		return applyORSet(state, op, at)
	}
	panic(fmt.Sprintf("lattice: %s has verbs but no Apply", state.kind))
}

func applyGCounter(state Value, n incArgs, at Write) (Value, error) {
	if n < 0 {
		return Value{}, fmt.Errorf("%w: inc %d of a %s: expected at least 0", ErrInvalid, n, state.kind)
	}
	g, _ := unboxed[*GCounter](state)
	delta, err := g.inc(at.Writer, uint64(n))
	if err != nil {
		return Value{}, err
	}
	return boxed(state.kind, delta), nil
}

func applyORSet(state Value, op Op, at Write) (Value, error) {
	set, _ := unboxed[*ORSet[string]](state)
	elements := op.args.(elementArgs)
	if op.verb == VerbRemove {
		return boxed(state.kind, set.removing(elements)), nil
	}
	if err := hasDots(&set.context, at.Writer, len(elements)); err != nil {
		return Value{}, err
	}
	return boxed(state.kind, set.adding(at.Writer, elements)), nil
}

// hasDots is an error if writer has not n dots left.
func hasDots(c *CausalContext, writer string, n int) error {
	if c.Highest(writer) > math.MaxUint64-uint64(n) {
		return fmt.Errorf("%w: writer %q has used up its dots", ErrInvalid, writer)
	}
	return nil
}
