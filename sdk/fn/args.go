package fn

import (
	"reflect"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

// None is the In of a function without arguments, and the Out of one without a result.
type None = struct{}

// Args2 is the In of a function of two arguments.
type Args2[A, B any] struct {
	A A
	B B
}

// Args3 is the In of a function of three arguments.
type Args3[A, B, C any] struct {
	A A
	B B
	C C
}

// Args4 is the In of a function of four arguments.
type Args4[A, B, C, D any] struct {
	A A
	B B
	C C
	D D
}

// Variadic is the In of a function of any number of arguments of one type.
type Variadic[T any] []T

// spread is an In that stands for other than one argument.
type spread interface {
	// slots gives a pointer for each of n arguments; where the number is
	// fixed and not n, it gives its own number of pointers.
	slots(n int) []any
}

func (a *Args2[A, B]) slots(int) []any       { return []any{&a.A, &a.B} }
func (a *Args3[A, B, C]) slots(int) []any    { return []any{&a.A, &a.B, &a.C} }
func (a *Args4[A, B, C, D]) slots(int) []any { return []any{&a.A, &a.B, &a.C, &a.D} }

func (v *Variadic[T]) slots(n int) []any {
	if n != len(*v) {
		*v = make([]T, n)
	}
	slots := make([]any, n)
	for i := range slots {
		slots[i] = &(*v)[i]
	}
	return slots
}

// decodeArgs reads args into what in points to.
func decodeArgs(args []mesh.Value, in any) error {
	switch in := in.(type) {
	case *None:
		return expectCount(len(args), 0)
	case spread:
		slots := in.slots(len(args))
		if err := expectCount(len(args), len(slots)); err != nil {
			return err
		}
		for i, slot := range slots {
			if err := decodeArg(args, i, slot); err != nil {
				return err
			}
		}
		return nil
	}
	if err := expectCount(len(args), 1); err != nil {
		return err
	}
	return decodeArg(args, 0, in)
}

func expectCount(got, want int) error {
	if got == want {
		return nil
	}
	plural := "s"
	if want == 1 {
		plural = ""
	}
	return mesh.Errorf(mesh.Invalid, "", "expected %d argument%s, got %d", want, plural, got)
}

func decodeArg(args []mesh.Value, i int, into any) error {
	if err := codec.Decode(args[i], into); err != nil {
		return mesh.Errorf(mesh.Invalid, "", "argument %d: %s", i+1, mesh.AsError("", err).Text())
	}
	return nil
}

// SplitArgs gives the arguments that in stands for, undecoded: none for None,
// one for each part of Args2 to Args4 and Variadic, else in itself.
func SplitArgs[In any](in In) []any {
	var slots []any
	switch in := any(&in).(type) {
	case *None:
		return nil
	case interface{ count() int }:
		slots = any(in).(spread).slots(in.count())
	case spread:
		slots = in.slots(0)
	default:
		return []any{*in.(*In)}
	}
	for i, slot := range slots {
		slots[i] = reflect.ValueOf(slot).Elem().Interface()
	}
	return slots
}

// EncodeArgs gives in as the arguments that a function with an In of its
// type expects: those of SplitArgs, encoded.
func EncodeArgs[In any](in In) ([]mesh.Value, error) {
	parts := SplitArgs(in)
	if len(parts) == 0 {
		return nil, nil
	}
	args := make([]mesh.Value, len(parts))
	for i, part := range parts {
		v, err := codec.Encode(part)
		if err != nil && len(parts) > 1 {
			return nil, mesh.Errorf(mesh.Invalid, "", "argument %d: %s", i+1, mesh.AsError("", err).Text())
		}
		if err != nil {
			return nil, err
		}
		args[i] = v
	}
	return args, nil
}

func (v *Variadic[T]) count() int { return len(*v) }
