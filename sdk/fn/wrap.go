package fn

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

// Wrap gives f in the form that executors run. Its one argument is decoded
// into In by package codec, unless In is None, Args2 to Args4 or Variadic;
// arguments that do not fit, in number or type, are an Invalid error. Its
// result is encoded, and is no value where Out is None.
//
// An error that f returns keeps its kind if it is, or wraps, a *mesh.Error
// or the end of ctx, and is a UserError otherwise. A panic is a UserError that
// wraps a *Panic.
func Wrap[In, Out any](f func(context.Context, In) (Out, error)) Raw {
	return func(ctx context.Context, args []mesh.Value) (result mesh.Value, err error) {
		defer recoverInto(&err)
		var in In
		if err := decodeArgs(args, &in); err != nil {
			return mesh.Value{}, err
		}
		out, err := f(ctx, in)
		if err != nil {
			return mesh.Value{}, userError(ctx, err)
		}
		return encodeResult(out)
	}
}

func encodeResult(out any) (mesh.Value, error) {
	if _, none := out.(None); none {
		return mesh.Value{}, nil
	}
	v, err := codec.Encode(out)
	if err != nil {
		return mesh.Value{}, mesh.Errorf(mesh.UserError, "", "result: %s", mesh.AsError("", err).Text())
	}
	return v, nil
}

// userError classifies what a function returned.
func userError(ctx context.Context, err error) error {
	var e *mesh.Error
	switch {
	case errors.As(err, &e):
		if err == error(e) {
			return e
		}
		return &mesh.Error{Kind: e.Kind, Err: err}
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return &mesh.Error{Kind: mesh.KindOf(err), Err: err}
	}
	return &mesh.Error{Kind: mesh.UserError, Err: err}
}

// Panic is the cause of the UserError that a panicking function gives. Its
// text, which callers see, is the panic's; the stack is for the log of
// whoever runs the function.
type Panic struct {
	Value any
	Stack []byte
}

// Error is "panic: " and the value.
func (p *Panic) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

func recoverInto(err *error) {
	if value := recover(); value != nil {
		*err = &mesh.Error{Kind: mesh.UserError, Err: &Panic{Value: value, Stack: debug.Stack()}}
	}
}

// WrapInit is Wrap for a function that needs to be made first: construct
// runs at the first call, and what it captured persists from call to call. A
// native function is made once per process, a WebAssembly one once per
// instance. When construct fails, its error is the call's, and the next call
// tries again.
func WrapInit[In, Out any](construct func(context.Context) (func(context.Context, In) (Out, error), error)) Raw {
	c := constructor[In, Out]{construct: construct, turn: make(chan struct{}, 1)}
	return func(ctx context.Context, args []mesh.Value) (mesh.Value, error) {
		raw, err := c.function(ctx)
		if err != nil {
			return mesh.Value{}, err
		}
		return raw(ctx, args)
	}
}

type constructor[In, Out any] struct {
	construct func(context.Context) (func(context.Context, In) (Out, error), error)
	turn      chan struct{} // holds a token while construct runs
	made      atomic.Pointer[Raw]
}

// function gives the function, which it makes if that has not been done yet.
func (c *constructor[In, Out]) function(ctx context.Context) (_ Raw, err error) {
	if raw := c.made.Load(); raw != nil {
		return *raw, nil
	}
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, userError(ctx, ctx.Err())
	}
	defer func() { <-c.turn }()
	if raw := c.made.Load(); raw != nil {
		return *raw, nil
	}
	defer recoverInto(&err)
	f, err := c.construct(ctx)
	if err != nil {
		return nil, userError(ctx, fmt.Errorf("initialise: %w", err))
	}
	raw := Wrap(f)
	c.made.Store(&raw)
	return raw, nil
}
