package lattice

import (
	"iter"
	"slices"
)

// Payload gives what an lww or a priority holds, which must not be changed.
// ok is false for other kinds and before the first write. It allocates nothing.
func (v Value) Payload() (payload []byte, ok bool) {
	switch state := v.state.(type) {
	case box[*LWW]:
		return state.l.payload, state.l.written()
	case box[*Priority]:
		return state.l.payload, state.l.written
	}
	return nil, false
}

// Stamp tells when what an lww holds was written, zero for other kinds and
// before the first write.
func (v Value) Stamp() Stamp {
	if l, is := unboxed[*LWW](v); is {
		return l.stamp
	}
	return Stamp{}
}

// Priority gives the priority of what a priority holds. ok is false for other kinds and before the first write.
func (v Value) Priority() (priority float64, ok bool) {
	if p, is := unboxed[*Priority](v); is {
		return p.priority, p.written
	}
	return 0, false
}

// Scalar gives what a max or min holds, the zero Scalar for other kinds and before the first offer.
func (v Value) Scalar() Scalar {
	if x, is := unboxed[*extremum](v); is {
		return x.best
	}
	return Scalar{}
}

// Enabled reports whether a bool or a flag is on. ok is false for other kinds.
func (v Value) Enabled() (on, ok bool) {
	switch state := v.state.(type) {
	case box[*Bool]:
		return state.l.Value(), true
	case box[*Flag]:
		return state.l.Value(), true
	}
	return false, false
}

// Count is the value of a gcounter or pncounter, held within int64 from both sides. ok is false for other kinds.
func (v Value) Count() (n int64, ok bool) {
	switch state := v.state.(type) {
	case box[*GCounter]:
		return clampInt64(state.l.Value()), true
	case box[*PNCounter]:
		return state.l.Value(), true
	}
	return 0, false
}

// Clock gives the counts of a clock, or of all that a causal or multi-causal
// has seen, as a clock of its own. It is nil for other kinds.
func (v Value) Clock() *VectorClock {
	switch state := v.state.(type) {
	case box[*VectorClock]:
		return state.l.Clone()
	case box[*Causal]:
		return state.l.Clock()
	case box[*MultiCausal]:
		return state.l.Clock()
	}
	return nil
}

// Versions gives the concurrent versions of a causal or multi-causal, in an
// order that is the same at every replica. Other kinds have none.
func (v Value) Versions() iter.Seq[Version] {
	switch state := v.state.(type) {
	case box[*Causal]:
		return state.l.Versions()
	case box[*MultiCausal]:
		return state.l.Versions()
	}
	return none[Version]
}

// Siblings gives the concurrent payloads of a causal, multi-causal or
// mv-register, in an order that is the same at every replica. They must not be
// changed. Other kinds have none.
func (v Value) Siblings() iter.Seq[[]byte] {
	if r, is := unboxed[*MVRegister](v); is {
		return r.Payloads()
	}
	return func(yield func([]byte) bool) {
		for version := range v.Versions() {
			if !yield(version.Payload) {
				return
			}
		}
	}
}

// Context is the set of dots that an or-set, or-map, mv-register or flag has
// seen. It must not be changed. It is nil for other kinds.
func (v Value) Context() *CausalContext {
	switch state := v.state.(type) {
	case box[*ORSet[string]]:
		return &state.l.context
	case box[*object]:
		return &state.l.context
	case box[*MVRegister]:
		return &state.l.context
	case box[*Flag]:
		return &state.l.context
	}
	return nil
}

func none[T any](func(T) bool) {}

// collection is what sets have in common.
type collection interface {
	Contains(string) bool
	Len() int
	Sorted() iter.Seq[string]
}

func (v Value) collection() collection {
	switch state := v.state.(type) {
	case box[*Set[string]]:
		return state.l
	case box[*OrderedSet[string]]:
		return state.l
	case box[*ORSet[string]]:
		return state.l
	}
	return nil
}

// Elements gives the elements of a set, an ordered-set or an or-set in
// ascending order; all but the ordered-set sort them first. Other kinds have none.
func (v Value) Elements() iter.Seq[string] {
	if set := v.collection(); set != nil {
		return set.Sorted()
	}
	return none[string]
}

// From gives the elements of a set, an ordered-set or an or-set that are equal
// to element or greater, in ascending order. An ordered-set finds them without
// looking at the others.
func (v Value) From(element string) iter.Seq[string] {
	if set, is := unboxed[*OrderedSet[string]](v); is {
		return set.From(element)
	}
	return func(yield func(string) bool) {
		for e := range v.Elements() {
			if e >= element && !yield(e) {
				return
			}
		}
	}
}

// Contains reports whether a set, an ordered-set or an or-set holds element.
func (v Value) Contains(element string) bool {
	set := v.collection()
	return set != nil && set.Contains(element)
}

// Len is the number of elements of a set, an ordered-set or an or-set, of
// fields of a map or or-map, and of siblings of a causal, multi-causal or
// mv-register. It is 0 for other kinds.
func (v Value) Len() int {
	if set := v.collection(); set != nil {
		return set.Len()
	}
	switch state := v.state.(type) {
	case box[*valueMap]:
		return state.l.Len()
	case box[*object]:
		return state.l.store.len()
	case box[*Causal]:
		return state.l.Len()
	case box[*MultiCausal]:
		return state.l.Len()
	case box[*MVRegister]:
		return state.l.Len()
	}
	return 0
}

// Field gives what is under a name in a map or or-map. It shares state with v:
// it may be read until v is merged into, and must not be merged into itself.
//
// Two nodes may have put different kinds into a new field of an or-map at the
// same time. Both are there until the field is dropped; the one with the
// smaller number is given.
func (v Value) Field(name string) (field Value, ok bool) {
	switch state := v.state.(type) {
	case box[*valueMap]:
		if n, has := state.l.At(name); has {
			return n.Value, true
		}
	case box[*object]:
		return state.l.field(name)
	}
	return Value{}, false
}

// Names gives the names of the fields of a map or or-map, ascending. Other kinds have none.
func (v Value) Names() iter.Seq[string] {
	switch state := v.state.(type) {
	case box[*valueMap]:
		return slices.Values(slices.Sorted(state.l.Keys()))
	case box[*object]:
		return slices.Values(state.l.store.sortedKeys())
	}
	return none[string]
}

// Fields gives the names and values of the fields of a map or or-map, ascending
// by name, each as Field gives it. Other kinds have none.
func (v Value) Fields() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for name := range v.Names() {
			if field, _ := v.Field(name); !yield(name, field) {
				return
			}
		}
	}
}
