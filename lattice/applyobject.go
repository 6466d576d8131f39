package lattice

import (
	"fmt"
	"slices"
)

// applyObject makes the delta of a put or drop; its dots follow o's own.
func applyObject(o *object, op Op, at Write) (*object, error) {
	if op.verb == VerbDrop {
		field := string(op.args.(dropArgs))
		return &object{dotted[fieldMap]{context: covering(o.store.at(field).live())}}, nil
	}
	return o.putting(op.args.(putArgs), at)
}

// putting is the delta of op on a field of kind.
func (o *object) putting(args putArgs, at Write) (*object, error) {
	if !args.kind.Valid() {
		return nil, fmt.Errorf("%w: field %q of %s: expected a kind", ErrInvalid, args.field, args.kind)
	}
	kinds := o.store.at(args.field)
	if len(kinds) > 0 && !slices.ContainsFunc(kinds, func(k kindStore) bool { return k.kind == args.kind }) {
		return nil, &KindMismatchError{Have: kinds[0].kind, Got: args.kind, Field: args.field}
	}
	delta := &object{}
	store, err := o.applyWithin(args.kind, kinds.at(args.kind), args.op, at, &delta.context)
	if err != nil {
		return nil, inField(args.field, err)
	}
	if !store.empty() {
		delta.store = &dotMap[string, fieldStore]{entries: map[string]fieldStore{}}
		delta.store.put(args.field, fieldStore{{args.kind, store}}, 0, false)
	}
	return delta, nil
}

// applyWithin applies op to a store, and gives the delta's store; context
// receives the delta's context.
func (o *object) applyWithin(kind Kind, store innerStore, op Op, at Write, context *CausalContext) (innerStore, error) {
	switch store := store.(type) {
	case inner[dotFun[*nested]]:
		return o.applyContribution(kind, store.s, op, at, context)
	case inner[fieldMap]:
		if err := kind.mustHave(op.verb); err != nil {
			return nil, err
		}
		delta, err := applyObject(&object{dotted[fieldMap]{o.context, store.s}}, op, at)
		if err != nil {
			return nil, err
		}
		*context = delta.context
		return inner[fieldMap]{delta.store}, nil
	}
	delta, err := Apply(o.view(kind, store), op, at)
	if err != nil {
		return nil, err
	}
	switch state := delta.state.(type) {
	case box[*ORSet[string]]:
		*context = state.l.context
		return inner[*dotMap[string, dotSet]]{state.l.store}, nil
	case box[*MVRegister]:
		*context = state.l.context
		return inner[dotFun[*content]]{state.l.store}, nil
	case box[*Flag]:
		*context = state.l.context
		return inner[dotSet]{state.l.store}, nil
	}
	panic("lattice: no store for the delta of a " + kind.String())
}

// applyContribution applies op to the contributions to a field of a kind that is not causal.
func (o *object) applyContribution(kind Kind, f dotFun[*nested], op Op, at Write, context *CausalContext) (innerStore, error) {
	if err := o.context.hasNext(at.Writer, 1); err != nil {
		return nil, err
	}
	state, ok := f.merged()
	if !ok {
		state = &nested{New(kind)}
	}
	if state.Counted(at.ID) { // the delta is all contributions, for others to know it, too
		*context = covering(f.live())
		return inner[dotFun[*nested]]{f.clone()}, nil
	}
	dot := o.context.Next(at.Writer)
	at.least = dot.Seq
	delta, err := Apply(state.Value, op, at)
	if err != nil {
		return nil, err
	}
	contribution, replaced := contribute(f, dot, &nested{delta})
	*context = replaced
	return inner[dotFun[*nested]]{contribution}, nil
}
