package fn

import (
	"context"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

// Future is the result of a run that is fetched later, by this function or by
// another: its ID can be returned, stored and sent.
type Future[Out any] struct{ ID mesh.RunID }

// FutureOf attaches to a run by its id.
func FutureOf[Out any](id mesh.RunID) Future[Out] { return Future[Out]{id} }

// Start runs a function, named as Call names it, and waits for nothing but
// that it was taken on. It goes on when this function returns. When this
// invocation fails and is executed again, the same call is the same run.
func Start[Out any](ctx context.Context, name string, args ...any) (Future[Out], error) {
	lib, err := FromContext(ctx)
	if err != nil {
		return Future[Out]{}, err
	}
	ref, values, err := encodeCall(lib, "start "+name, name, args)
	if err != nil {
		return Future[Out]{}, err
	}
	id, err := lib.Start(ctx, ref, values)
	return Future[Out]{id}, err
}

// Get waits until the run is over and gives its result, that of several sinks
// as an object by stage, or the error that it ended with. While it waits,
// this invocation does not count against the limits of concurrency.
func (f Future[Out]) Get(ctx context.Context) (out Out, err error) {
	lib, err := FromContext(ctx)
	if err != nil {
		return out, err
	}
	_, result, err := lib.Await(ctx, f.ID, false)
	if err != nil {
		return out, err
	}
	if err := codec.Decode(result, &out); err != nil {
		return out, mesh.Errorf(mesh.Invalid, "result of run "+f.ID.String(), "%s", mesh.AsError("", err).Text())
	}
	return out, nil
}

// Status tells how the run stands, without waiting: mesh.Running,
// mesh.Succeeded, or the error that it failed with. A run that is not known,
// or no longer, is NotFound.
func (f Future[Out]) Status(ctx context.Context) (mesh.RunState, error) {
	lib, err := FromContext(ctx)
	if err != nil {
		return 0, err
	}
	state, _, err := lib.Await(ctx, f.ID, true)
	return state, err
}
