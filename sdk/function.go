package sdk

import (
	"context"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Function calls one function of the mesh with Go types. An In is one
// argument, except fn.None, which is none, and fn.Args2 to fn.Args4 and
// fn.Variadic, which are several. A Ref, alone or in an fn.Variadic[any], is
// replaced by the value of its key.
type Function[In, Out any] struct {
	// Options of the calls. Set them before the first one.
	Options CallOptions

	client *Client
	name   string
}

// Func gives a handle on a function of the client's namespace. The name may
// carry a version, as in "square@v". Whether the function exists is known at
// the call: NotFound.
func Func[In, Out any](c *Client, name string) *Function[In, Out] {
	return &Function[In, Out]{client: c, name: name}
}

// Call runs the function and waits for its result. What the function
// returned as an error is UserError.
func (f *Function[In, Out]) Call(ctx context.Context, in In) (Out, error) {
	out, _, err := f.CallThen(ctx, in)
	return out, err
}

// CallThen is Call for a function whose Options.Then says what continues with
// the result: it gives that run, too, else nil.
func (f *Function[In, Out]) CallThen(ctx context.Context, in In) (out Out, next *Run, err error) {
	reply, err := f.send(ctx, in, forResult)
	if err != nil {
		return out, nil, err
	}
	if len(reply.Results) != 1 {
		return out, nil, mesh.Errorf(mesh.Internal, f.op(), "the node gave %d results: expected one", len(reply.Results))
	}
	if next, err = f.client.next(reply); err != nil {
		return out, nil, err
	}
	v, err := wire.ToValue(reply.Results[0].Value)
	if err != nil {
		return out, next, err
	}
	out, err = decode[Out](v)
	return out, next, err
}

// Start runs the function and waits for nothing but that it was taken. The
// result is kept for the future to get, for the nodes' result TTL. Who does
// not want it lets the future go.
func (f *Function[In, Out]) Start(ctx context.Context, in In) (*Future[Out], error) {
	reply, err := f.send(ctx, in, forFuture)
	if err != nil {
		return nil, err
	}
	id, err := wire.ToRunID(reply.RunId)
	if err != nil {
		return nil, mesh.AsError(f.op(), err)
	}
	return FutureOf[Out](f.client, id), nil
}

// Plan tells where a call would run, and why there, and runs nothing.
func (f *Function[In, Out]) Plan(ctx context.Context, in In) ([]StageStatus, error) {
	reply, err := f.send(ctx, in, forPlan)
	if err != nil {
		return nil, err
	}
	return toStages(reply.Plan), nil
}

func (f *Function[In, Out]) send(ctx context.Context, in In, m mode) (*pb.CallReply, error) {
	ref, err := mesh.ParseFuncRef(f.client.namespace, f.name)
	if err != nil {
		return nil, mesh.AsError(f.op(), err)
	}
	args, err := encodeArgs(in)
	if err != nil {
		return nil, mesh.AsError(f.op(), err)
	}
	options, err := f.Options.message(ctx, f.client.namespace, m)
	if err != nil {
		return nil, mesh.AsError(f.op(), err)
	}
	return do[*pb.CallReply](ctx, f.client.patientUnless(f.Options.Once), f.op(), &pb.Call{Ref: wire.FromFuncRef(ref), Args: args, Options: options})
}

func (f *Function[In, Out]) op() string { return "call " + f.name }

// Future is the result of a run of one function, or of a DAG with one sink,
// that is fetched later.
type Future[Out any] struct{ *Run }

// FutureOf attaches to a run by its id, for instance one that another program started.
func FutureOf[Out any](c *Client, id mesh.RunID) *Future[Out] { return &Future[Out]{c.Run(id)} }

// Get waits for the result as Run.Wait does, and decodes it.
func (f *Future[Out]) Get(ctx context.Context) (Out, error) {
	results, err := f.Wait(ctx)
	if err != nil {
		var none Out
		return none, err
	}
	return Only[Out](results)
}
