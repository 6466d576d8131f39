package fn

import (
	"context"
	"strings"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

type libraryKey struct{}

// WithLibrary gives a context through which a function reaches lib. Executors
// call it; so do tests of functions.
func WithLibrary(ctx context.Context, lib Library) context.Context {
	return context.WithValue(ctx, libraryKey{}, lib)
}

// FromContext gives the library of the running function that ctx belongs to;
// with any other context it is an Invalid error.
func FromContext(ctx context.Context) (Library, error) {
	lib, ok := ctx.Value(libraryKey{}).(Library)
	if !ok {
		return nil, mesh.Errorf(mesh.Invalid, "", "the context is not that of a running function: pass on the one that the function was given")
	}
	return lib, nil
}

// ID is the address of this invocation, to which others send messages. It is
// zero where ctx is not that of a running function.
func ID(ctx context.Context) mesh.InvocationID {
	lib, err := FromContext(ctx)
	if err != nil {
		return mesh.InvocationID{}
	}
	return lib.ID()
}

// Call runs the function called name, or name@version, of this namespace, or
// namespace/name of another, and waits for its result. While it waits, this
// invocation does not count against the limits of concurrency.
func Call[Out any](ctx context.Context, name string, args ...any) (out Out, err error) {
	lib, err := FromContext(ctx)
	if err != nil {
		return out, err
	}
	ref, values, err := encodeCall(lib, "call "+name, name, args)
	if err != nil {
		return out, err
	}
	result, err := lib.Call(ctx, ref, values)
	if err != nil {
		return out, err
	}
	if err := codec.Decode(result, &out); err != nil {
		return out, mesh.Errorf(mesh.Invalid, "call "+name, "result: %s", mesh.AsError("", err).Text())
	}
	return out, nil
}

func encodeCall(lib Library, op, name string, args []any) (mesh.FuncRef, []mesh.Value, error) {
	ref, err := parseRef(lib.Namespace(), name)
	if err != nil {
		return ref, nil, err
	}
	values := make([]mesh.Value, len(args))
	for i, arg := range args {
		if values[i], err = codec.Encode(arg); err != nil {
			return ref, nil, mesh.Errorf(mesh.Invalid, op, "argument %d: %s", i+1, mesh.AsError("", err).Text())
		}
	}
	return ref, values, nil
}

func parseRef(namespace, name string) (mesh.FuncRef, error) {
	if before, after, other := strings.Cut(name, "/"); other {
		namespace, name = before, after
	}
	return mesh.ParseFuncRef(namespace, name)
}

// Send hands v to a running invocation, wherever it runs; by way of the store
// where its node cannot be reached from here. Messages of one sender arrive in
// order and once. An invocation that has ended is a NotFound error, one whose
// inbox is full Overloaded; with any other error the message may have arrived.
func Send(ctx context.Context, to mesh.InvocationID, v any) error {
	lib, err := FromContext(ctx)
	if err != nil {
		return err
	}
	body, err := codec.Encode(v)
	if err != nil {
		return err
	}
	return lib.Send(ctx, to, body)
}

// Received is a message with its body decoded.
type Received[T any] struct {
	From mesh.InvocationID
	Body T
}

// Recv drains what others sent to this invocation. With nothing there it
// waits up to wait for a first message, then answers with none. A message
// that does not decode into T is an Invalid error, and those drained with it
// are lost: receive mesh.Value where senders may differ.
func Recv[T any](ctx context.Context, wait time.Duration) ([]Received[T], error) {
	lib, err := FromContext(ctx)
	if err != nil {
		return nil, err
	}
	messages, err := lib.Recv(ctx, wait)
	if err != nil {
		return nil, err
	}
	received := make([]Received[T], len(messages))
	for i, m := range messages {
		received[i].From = m.From
		if err := codec.Decode(m.Body, &received[i].Body); err != nil {
			return nil, mesh.Errorf(mesh.Invalid, "receive", "message %d: %s", i+1, mesh.AsError("", err).Text())
		}
	}
	return received, nil
}
