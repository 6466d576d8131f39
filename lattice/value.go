package lattice

import "fmt"

// Value is a lattice of any Kind: what a store keeps and a wire carries. Its
// elements, payloads and fields are byte strings. The zero Value has NoKind
// and holds nothing, not even a bottom.
//
// A Value is a handle: copies of it share state. Clone makes one of its own.
type Value struct {
	kind  Kind
	state state
}

// state is what a Kind holds: a static type in a box. Both operands have the same kind.
type state interface {
	merge(other state) bool
	compare(other state) Order
	clone() state
	size() int
	appendTo(dst []byte) []byte
}

// box makes a state of a static type.
type box[L Lattice[L]] struct{ l L }

func (b box[L]) merge(other state) bool     { return b.l.Merge(other.(box[L]).l) }
func (b box[L]) compare(other state) Order  { return b.l.Compare(other.(box[L]).l) }
func (b box[L]) clone() state               { return box[L]{b.l.Clone()} }
func (b box[L]) size() int                  { return b.l.Size() }
func (b box[L]) appendTo(dst []byte) []byte { return b.l.AppendBinary(dst) }

func boxed[L Lattice[L]](kind Kind, l L) Value { return Value{kind, box[L]{l}} }

// unboxed gives the static type within v, if it is of that type.
func unboxed[L Lattice[L]](v Value) (l L, ok bool) {
	b, ok := v.state.(box[L])
	return b.l, ok
}

// New is the bottom of kind: the value that no write has touched. It panics if
// kind is not Valid.
func New(kind Kind) Value {
	switch kind {
	case BoolKind:
		return boxed(kind, &Bool{})
	case MaxKind:
		return boxed(kind, &extremum{sign: 1})
	case MinKind:
		return boxed(kind, &extremum{sign: -1})
	case SetKind:
		return boxed(kind, &Set[string]{})
	case OrderedSetKind:
		return boxed(kind, &OrderedSet[string]{})
	case MapKind:
		return boxed(kind, &valueMap{})
	case LWWKind:
		return boxed(kind, &LWW{})
	case PriorityKind:
		return boxed(kind, &Priority{})
	case ClockKind:
		return boxed(kind, &VectorClock{})
	case CausalKind:
		return boxed(kind, &Causal{})
	case MultiCausalKind:
		return boxed(kind, &MultiCausal{})
	case GCounterKind:
		return boxed(kind, &GCounter{})
	case PNCounterKind:
		return boxed(kind, &PNCounter{})
	case ORSetKind:
		return boxed(kind, &ORSet[string]{})
	case ORMapKind:
		return boxed(kind, &object{})
	case MVRegisterKind:
		return boxed(kind, &MVRegister{})
	case FlagKind:
		return boxed(kind, &Flag{})
	}
	panic(fmt.Sprintf("lattice: New of %s", kind))
}

// Kind is the kind of v.
func (v Value) Kind() Kind { return v.kind }

// IsZero reports whether v is the zero Value, of NoKind.
func (v Value) IsZero() bool { return v.kind == NoKind }

// Merge merges delta into v in place, and reports whether v grew. Values of
// different kinds, at the top or in fields of a map, give a KindMismatchError
// and change nothing. Merging into or from the zero Value is a mismatch too.
// delta is not changed, and may go on being used.
func (v *Value) Merge(delta Value) (grew bool, err error) {
	if err := v.fits(delta); err != nil {
		return false, err
	}
	return v.state.merge(delta.state), nil
}

// fits tells whether delta can be merged.
func (v Value) fits(delta Value) error {
	if v.kind != delta.kind || v.kind == NoKind {
		return &KindMismatchError{Have: v.kind, Got: delta.kind}
	}
	if v.kind == MapKind {
		return fieldsFit(v.state.(box[*valueMap]).l, delta.state.(box[*valueMap]).l)
	}
	return nil
}

// Compare orders v against other. Different kinds are Concurrent, except that
// the zero Value is less than all others.
func (v Value) Compare(other Value) Order {
	switch {
	case v.kind == NoKind || other.kind == NoKind:
		return orderOf(v.kind == NoKind, other.kind == NoKind)
	case v.kind != other.kind:
		return Concurrent
	}
	return v.state.compare(other.state)
}

// Clone is a copy that shares no state with v. It costs the size of v.
func (v Value) Clone() Value {
	if v.state == nil {
		return v
	}
	return Value{v.kind, v.state.clone()}
}

// Size is the memory held, in bytes, approximately. It takes constant time where
// the value can grow without bound.
func (v Value) Size() int {
	if v.state == nil {
		return 0
	}
	return v.state.size()
}

// AppendBinary appends the canonical encoding: the kind's number and the
// state. Sets and maps are sorted for it. The zero Value is a single zero byte.
func (v Value) AppendBinary(dst []byte) []byte {
	dst = append(dst, byte(v.kind))
	if v.state == nil {
		return dst
	}
	return v.state.appendTo(dst)
}

// Decode reads what AppendBinary wrote, and nothing else: the error wraps
// ErrMalformed for bytes that are not the canonical encoding of a value. It
// keeps nothing of b. The zero Value cannot be decoded.
func Decode(b []byte) (Value, error) {
	return decodeWhole(b, decodeValue)
}

func decodeValue(d *decoder) Value {
	if !d.enter() {
		return Value{}
	}
	defer d.leave()
	switch kind := Kind(d.byte()); kind {
	case BoolKind:
		return boxed(kind, decodeBool(d))
	case MaxKind:
		return boxed(kind, &extremum{best: d.scalar(), sign: 1})
	case MinKind:
		return boxed(kind, &extremum{best: d.scalar(), sign: -1})
	case SetKind:
		return boxed(kind, decodeSet[string](d))
	case OrderedSetKind:
		return boxed(kind, decodeOrderedSet[string](d))
	case MapKind:
		return boxed(kind, decodeValueMap(d))
	case LWWKind:
		return boxed(kind, decodeLWW(d))
	case PriorityKind:
		return boxed(kind, decodePriority(d))
	case ClockKind:
		return boxed(kind, decodeClock(d))
	case CausalKind:
		return boxed(kind, decodeCausal(d))
	case MultiCausalKind:
		return boxed(kind, decodeMultiCausal(d))
	case GCounterKind:
		return boxed(kind, decodeGCounter(d))
	case PNCounterKind:
		return boxed(kind, decodePNCounter(d))
	case ORSetKind:
		return boxed(kind, decodeORSet[string](d))
	case ORMapKind:
		return boxed(kind, decodeObject(d))
	case MVRegisterKind:
		return boxed(kind, decodeMVRegister(d))
	case FlagKind:
		return boxed(kind, decodeFlag(d))
	default:
		d.fail("%s is not a kind of value", kind)
		return Value{}
	}
}
