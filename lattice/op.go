package lattice

import (
	"fmt"
	"slices"
	"strings"
)

// Op is an operation that a client asks for: a verb and its arguments. It does
// not say who writes or when; Apply is told that by a Write. An Op is never
// changed once made, and keeps the bytes that its constructor was given, which
// must not be changed either. The zero Op does nothing and no kind has it.
type Op struct {
	verb Verb
	args args
}

// args are the arguments of one verb; nil for verbs that take none.
type args interface {
	appendTo(dst []byte) []byte
	String() string
}

// Verb is what the operation does.
func (o Op) Verb() Verb { return o.verb }

// SetOp replaces the payload of an lww, causal, multi-causal or mv-register.
func SetOp(payload []byte) Op { return Op{VerbSet, setArgs{payload: payload}} }

// AddOp puts elements into a set, ordered-set or or-set.
func AddOp(elements ...string) Op { return Op{VerbAdd, elementArgs(normalised(elements))} }

// RemoveOp takes elements out of an or-set.
func RemoveOp(elements ...string) Op { return Op{VerbRemove, elementArgs(normalised(elements))} }

// IncOp counts n: at least 0 for a gcounter, anything for a pncounter.
func IncOp(n int64) Op { return Op{VerbInc, incArgs(n)} }

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
	return decodeWhole(b, decodeOp)
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
	case VerbEnable, VerbDisable, VerbTick:
	default:
		d.fail("%s is not a verb", op.verb)
	}
	return op
}

type setArgs struct {
	payload []byte
}

func (a setArgs) appendTo(dst []byte) []byte { return appendBytes(dst, a.payload) }

func (a setArgs) String() string { return fmt.Sprintf("%q", a.payload) }

func decodeSetArgs(d *decoder) setArgs { return setArgs{payload: d.bytes()} }

type elementArgs []string

func (a elementArgs) appendTo(dst []byte) []byte {
	dst = appendUvarint(dst, uint64(len(a)))
	for _, e := range a {
		dst = appendString(dst, e)
	}
	return dst
}

func (a elementArgs) String() string {
	quoted := make([]string, len(a))
	for i, e := range a {
		quoted[i] = fmt.Sprintf("%q", e)
	}
	return strings.Join(quoted, " ")
}

func decodeElementArgs(d *decoder) elementArgs {
	var a elementArgs
	var previous string
	for i := range d.count() {
		e := d.str()
		if !ascending(d, i, previous, e) {
			return nil
		}
		a = append(a, e)
		previous = e
	}
	return a
}

type incArgs int64

func (a incArgs) appendTo(dst []byte) []byte { return appendUvarint(dst, zigzag(int64(a))) }

func (a incArgs) String() string { return fmt.Sprint(int64(a)) }
