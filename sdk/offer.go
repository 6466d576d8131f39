package sdk

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/effects"
	"github.com/virga-mesh/virga/mesh/link"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Invoker runs one function in this process for the mesh. The arguments'
// bytes are the caller's: neither changed nor kept after it returns.
type Invoker func(ctx context.Context, ref mesh.FuncRef, args []mesh.Value, id mesh.InvocationID) (mesh.Value, error)

// Offer serves functions of this process over the client's connection until
// ctx ends, whose error it gives, or a node refuses them. After the connection
// broke it offers them again over the next one. Package sdk/worker is the way
// to use it; here is only what needs the connection. One offer at a time: a
// second is Conflict. A client that Attach made is Invalid: its node takes
// native functions.
//
// registered is called after each registration with the node that then
// serves the functions, from this goroutine; it may be nil.
func (c *Client) Offer(ctx context.Context, refs []mesh.FuncRef, invoke Invoker, registered func(mesh.NodeID)) error {
	op := "offer functions"
	if c.remote == nil {
		return mesh.Errorf(mesh.Invalid, op, "the client is attached to a node in this process: expected one that dialled")
	}
	if !c.remote.offer.CompareAndSwap(nil, &invoke) {
		return mesh.Errorf(mesh.Conflict, op, "this client offers functions already")
	}
	defer c.remote.offer.Store(nil)
	req := &pb.ServeFuncs{}
	for _, ref := range refs {
		req.Functions = append(req.Functions, wire.FromFuncRef(ref))
	}
	for {
		conn, err := c.remote.register(ctx, req)
		if err != nil {
			return mesh.AsError(op, err)
		}
		if registered != nil {
			registered(conn.Peer().ID)
		}
		select {
		case <-conn.Done():
		case <-ctx.Done():
			// A node takes an offer to end with its connection. The next request makes a new one.
			conn.CloseWithReason(errWorkerStopped())
			return mesh.AsError(op, ctx.Err())
		}
	}
}

// maxWorkAge bounds what a node says of the age of a work, in µs.
const maxWorkAge = uint64(365 * 24 * time.Hour / time.Microsecond)

func errWorkerStopped() error {
	return mesh.Errorf(mesh.Cancelled, "offer functions", "the worker stopped")
}

// register offers the functions to the node that the client is connected to.
// A connection that breaks meanwhile is replaced; a refusal is final.
func (r *remote) register(ctx context.Context, req *pb.ServeFuncs) (*link.Conn, error) {
	for {
		conn, err := r.connect(ctx)
		if err != nil {
			return nil, err
		}
		_, err = conn.Call(ctx, req)
		if err == nil {
			return conn, nil
		}
		if ctx.Err() != nil { // the node may have taken the offer
			conn.CloseWithReason(errWorkerStopped())
			return nil, err
		}
		if conn.Err() == nil {
			return nil, err
		}
	}
}

// Serve makes remote the link.Handler of the client: it runs what the node asks for.
func (r *remote) Serve(ctx context.Context, _ *link.Conn, req wire.Message) (wire.Message, error) {
	invoke, ok := req.(*pb.Invoke)
	if !ok {
		return nil, mesh.Errorf(mesh.Invalid, "serve", "%T: a client takes invocations only", req)
	}
	offer := r.offer.Load()
	if offer == nil {
		return nil, mesh.Errorf(mesh.Unavailable, "invoke", "this client offers no functions any more")
	}
	ref, err := wire.ToFuncRef(invoke.Ref)
	if err != nil {
		return nil, err
	}
	id, err := mesh.ParseInvocationID(invoke.Invocation)
	if err != nil {
		return nil, err
	}
	args, err := convert(invoke.Args, wire.ToValue)
	if err != nil {
		return nil, err
	}
	if len(invoke.Work) > 0 {
		work, err := wire.ToRunID(invoke.Work)
		if err != nil {
			return nil, err
		}
		ctx = effects.Executing(ctx, effects.Aged(work, time.Duration(min(invoke.WorkAgeUs, maxWorkAge))*time.Microsecond))
	}
	in, err := wire.ToSession(invoke.Session)
	if err != nil {
		return nil, err
	}
	result, err := (*offer)(mesh.InSession(ctx, in), ref, args, id)
	if err != nil {
		return nil, err
	}
	return &pb.InvokeReply{Result: wire.FromValue(result)}, nil
}

// Inline is false for all messages: functions take their time.
func (r *remote) Inline(wire.Type) bool { return false }
