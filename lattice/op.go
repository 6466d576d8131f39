package lattice

import "slices"

// Op is an operation that a client asks for: a verb and its arguments. It does
// not say who writes or when; Apply is told that by a Write. An Op is never
// changed once made, and keeps the bytes that its constructor was given, which
// must not be changed either. The zero Op does nothing, and no kind has it.
type Op struct {
	verb Verb
	args args // nil for verbs that take none
}

// Verb is what the operation does.
func (o Op) Verb() Verb { return o.verb }

// SetOp replaces the payload of an lww, causal, multi-causal or mv-register.
func SetOp(payload []byte) Op { return Op{VerbSet, setArgs{payload: payload}} }

// SetPriorityOp offers a payload to a priority, where the lowest wins. Apply refuses NaN.
func SetPriorityOp(priority float64, payload []byte) Op {
	return Op{VerbSet, setArgs{form: prioritySet, payload: payload, priority: priority}}
}

// SetAfterOp replaces the payload of a multi-causal by one that was made from
// these versions of other keys.
func SetAfterOp(payload []byte, deps map[string]*VectorClock) Op {
	if len(deps) == 0 {
		return SetOp(payload)
	}
	return Op{VerbSet, setArgs{form: dependentSet, payload: payload, deps: dependencies(deps)}}
}

// AddOp puts elements into a set, ordered-set or or-set.
func AddOp(elements ...string) Op { return Op{VerbAdd, elementArgs(normalised(elements))} }

// RemoveOp takes elements out of an or-set.
func RemoveOp(elements ...string) Op { return Op{VerbRemove, elementArgs(normalised(elements))} }

// IncOp counts n: at least 0 for a gcounter, anything for a pncounter.
func IncOp(n int64) Op { return Op{VerbInc, incArgs(n)} }

// OfferOp offers a scalar to a max or min.
func OfferOp(s Scalar) Op { return Op{VerbOffer, offerArgs{s}} }

// EnableOp turns a bool or flag on.
func EnableOp() Op { return Op{verb: VerbEnable} }

// DisableOp turns a flag off.
func DisableOp() Op { return Op{verb: VerbDisable} }

// PutOp applies op to a field of a map or or-map. Where there is no such
// field it is created with kind, which must be Valid. Fields nest at most 15 deep.
func PutOp(field string, kind Kind, op Op) Op { return Op{VerbPut, putArgs{field, kind, op}} }

// DropOp takes a field out of an or-map.
func DropOp(field string) Op { return Op{VerbDrop, dropArgs(field)} }

// TickOp counts one event of the writer in a clock.
func TickOp() Op { return Op{verb: VerbTick} }

// ObserveOp merges seen, which must not be changed afterwards, into a clock.
func ObserveOp(seen *VectorClock) Op { return Op{VerbObserve, observeArgs{seen}} }

// depth is 1, and one more for each field that the operation descends into.
func (o Op) depth() int {
	depth := 1
	for put, is := o.args.(putArgs); is; put, is = put.op.args.(putArgs) {
		depth++
	}
	return depth
}

// normalised is ascending, each once.
func normalised(elements []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(elements)))
}

// String is the operation as in a log: the verb, then its arguments.
func (o Op) String() string {
	if o.args == nil {
		return o.verb.String()
	}
	return o.verb.String() + " " + o.args.String()
}

// AppendBinary appends the canonical encoding: the verb's number and the
// arguments. The zero Op is a single zero byte, which DecodeOp refuses.
func (o Op) AppendBinary(dst []byte) []byte {
	dst = append(dst, byte(o.verb))
	if o.args == nil {
		return dst
	}
	return o.args.appendTo(dst)
}

// DecodeOp reads what AppendBinary wrote, and nothing else; the error wraps
// ErrMalformed. It keeps nothing of b.
func DecodeOp(b []byte) (Op, error) {
	return decodeWhole(b, func(d *decoder) Op {
		op := decodeOp(d)
		if op.depth() > maxOpDepth {
			d.fail("operation nested deeper than %d", maxOpDepth)
		}
		return op
	})
}

func decodeOp(d *decoder) Op {
	if !d.enter() {
		return Op{}
	}
	defer d.leave()
	op := Op{verb: Verb(d.byte())}
	switch op.verb {
	case VerbSet:
		op.args = decodeSetArgs(d)
	case VerbAdd, VerbRemove:
		op.args = decodeElementArgs(d)
	case VerbInc:
		op.args = incArgs(unzigzag(d.uvarint()))
	case VerbOffer:
		op.args = offerArgs{d.scalar()}
	case VerbPut:
		op.args = decodePutArgs(d)
	case VerbDrop:
		op.args = dropArgs(d.str())
	case VerbObserve:
		op.args = observeArgs{decodeClock(d)}
	case VerbEnable, VerbDisable, VerbTick:
	default:
		d.fail("%s is not a verb", op.verb)
	}
	return op
}
