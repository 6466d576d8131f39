package fn

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// Raw is a function in the form in which executors run it. It must not
// change its arguments' bytes, nor keep them after it returns.
type Raw func(ctx context.Context, args []mesh.Value) (mesh.Value, error)

// Library is what a running function can reach of the mesh. An executor puts
// it into the context of each invocation. It is safe for concurrent use, and
// of no use once the invocation has returned.
type Library interface {
	// ID is the address of this invocation.
	ID() mesh.InvocationID
	// Namespace is the namespace of the function, in which its keys lie by default.
	Namespace() string
	// Get reads a key. A missing key is a NotFound error.
	Get(ctx context.Context, key mesh.Key) (lattice.Value, error)
	// Put applies an operation to a key, which is created with that kind if it is missing.
	Put(ctx context.Context, key mesh.Key, kind lattice.Kind, op lattice.Op) error
	// Delete removes a key; removing a missing key is no error.
	Delete(ctx context.Context, key mesh.Key) error
	// Call runs another function and waits for its result.
	Call(ctx context.Context, ref mesh.FuncRef, args []mesh.Value) (mesh.Value, error)
	// Start runs another function and waits only until the run is taken on;
	// its result is kept as that of a future. Another execution of this
	// invocation, after a failure, starts the same run.
	Start(ctx context.Context, ref mesh.FuncRef, args []mesh.Value) (mesh.RunID, error)
	// CallDAG runs a DAG, whose name has no version, and waits for its result,
	// that of several sinks as an object by stage.
	CallDAG(ctx context.Context, dag mesh.FuncRef, args []StageArg) (mesh.Value, error)
	// StartDAG is to CallDAG what Start is to Call.
	StartDAG(ctx context.Context, dag mesh.FuncRef, args []StageArg) (mesh.RunID, error)
	// Await gives how a run stands and, once it succeeded, its result, that of
	// several sinks as an object by stage; or the error that it failed with.
	// Unless noWait, it waits until the run is over.
	Await(ctx context.Context, id mesh.RunID, noWait bool) (mesh.RunState, mesh.Value, error)
	// Send hands a message to a running invocation, wherever it runs.
	Send(ctx context.Context, to mesh.InvocationID, body mesh.Value) error
	// Recv drains what has arrived for this invocation. With nothing there it
	// waits up to wait for a first message, then answers with none.
	Recv(ctx context.Context, wait time.Duration) ([]Message, error)
}

// Message is what one invocation sent to another.
type Message struct {
	From mesh.InvocationID
	Body mesh.Value
}
