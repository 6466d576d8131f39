package lattice

import (
	"fmt"
	"slices"
	"strings"
)

// args are the arguments of one verb.
type args interface {
	appendTo(dst []byte) []byte
	String() string
}

// setArgs are a payload and, by form, what comes with it.
type setArgs struct {
	form     setForm
	payload  []byte
	priority float64
	deps     []Dependency
}

type setForm uint8

const (
	plainSet     setForm = 0
	prioritySet  setForm = 1
	dependentSet setForm = 2
)

var setForms = [...]string{plainSet: "a payload alone", prioritySet: "a priority", dependentSet: "dependencies"}

// mustBe is an error unless a has one of the forms that kind takes.
func (a setArgs) mustBe(kind Kind, forms ...setForm) error {
	if slices.Contains(forms, a.form) {
		return nil
	}
	return fmt.Errorf("%w: set of a %s with %s: expected %s", ErrInvalid, kind, setForms[a.form], setForms[forms[0]])
}

func (a setArgs) appendTo(dst []byte) []byte {
	dst = append(appendBytes(dst, a.payload), byte(a.form))
	switch a.form {
	case prioritySet:
		return appendOrdered(dst, a.priority)
	case dependentSet:
		return appendDependencies(dst, a.deps)
	}
	return dst
}

func (a setArgs) String() string {
	switch a.form {
	case prioritySet:
		return fmt.Sprintf("%q at %v", a.payload, a.priority)
	case dependentSet:
		parts := make([]string, len(a.deps))
		for i, dep := range a.deps {
			parts[i] = fmt.Sprintf("%q%s", dep.Key, dep.Clock)
		}
		return fmt.Sprintf("%q after %s", a.payload, strings.Join(parts, " "))
	}
	return fmt.Sprintf("%q", a.payload)
}

func decodeSetArgs(d *decoder) setArgs {
	a := setArgs{payload: d.bytes(), form: setForm(d.byte())}
	switch a.form {
	case plainSet:
	case prioritySet:
		a.priority = d.float()
	case dependentSet:
		if a.deps = decodeDependencies(d); len(a.deps) == 0 {
			d.fail("a set after nothing")
		}
	default:
		d.fail("%d is not a form of set", a.form)
	}
	return a
}

// elementArgs are ascending, each once.
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
func (a incArgs) String() string             { return fmt.Sprint(int64(a)) }

type offerArgs struct{ Scalar }

func (a offerArgs) appendTo(dst []byte) []byte { return a.Scalar.appendTo(dst) }

type putArgs struct {
	field string
	kind  Kind
	op    Op
}

func (a putArgs) appendTo(dst []byte) []byte {
	return a.op.AppendBinary(append(appendString(dst, a.field), byte(a.kind)))
}

func (a putArgs) String() string { return fmt.Sprintf("%q %s %s", a.field, a.kind, a.op) }

func decodePutArgs(d *decoder) putArgs {
	a := putArgs{field: d.str(), kind: Kind(d.byte())}
	if !a.kind.Valid() {
		d.fail("%s is not the kind of a field", a.kind)
	}
	a.op = decodeOp(d)
	return a
}

type dropArgs string

func (a dropArgs) appendTo(dst []byte) []byte { return appendString(dst, string(a)) }
func (a dropArgs) String() string             { return fmt.Sprintf("%q", string(a)) }

type observeArgs struct{ seen *VectorClock }

func (a observeArgs) appendTo(dst []byte) []byte { return a.seen.AppendBinary(dst) }
func (a observeArgs) String() string             { return a.seen.String() }
