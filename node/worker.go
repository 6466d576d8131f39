package node

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/link"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/node/exec"
)

// worker runs functions in the process at the other end of a connection.
type worker struct{ conn *link.Conn }

var _ exec.Worker = worker{}

// Invoke implements exec.Worker.
func (w worker) Invoke(ctx context.Context, inv exec.Invocation) (mesh.Value, error) {
	request := &pb.Invoke{Ref: wire.FromFuncRef(inv.Func.Ref), Invocation: inv.ID.String()}
	for _, arg := range inv.Args {
		request.Args = append(request.Args, wire.FromValue(arg))
	}
	reply, err := w.conn.Call(ctx, request)
	if err != nil {
		return mesh.Value{}, err
	}
	result, ok := reply.(*pb.InvokeReply)
	if !ok {
		return mesh.Value{}, mesh.Errorf(mesh.Invalid, "invoke "+inv.Func.Ref.String(), "the worker answered with %T: expected %T", reply, result)
	}
	return wire.ToValue(result.GetResult())
}

// workerVersion is the version of all functions of workers: what they do is
// not known to the mesh.
const workerVersion = "worker"

// serveFuncs takes functions that a worker offers over its connection. They
// are its until the connection ends.
func (r *rooms) serveFuncs(ctx context.Context, conn *link.Conn, m *pb.ServeFuncs) (wire.Message, error) {
	refs := make([]mesh.FuncRef, 0, len(m.GetFunctions()))
	for _, offered := range m.GetFunctions() {
		ref, err := wire.ToFuncRef(offered)
		if err != nil {
			return nil, err
		}
		ref.Version = workerVersion
		refs = append(refs, ref)
	}
	for i, ref := range refs {
		if err := r.attach(ctx, ref, worker{conn}); err != nil {
			r.detach(refs[:i], worker{conn})
			return nil, err
		}
	}
	r.background(func(ctx context.Context) {
		select {
		case <-conn.Done():
		case <-ctx.Done():
		}
		r.detach(refs, worker{conn})
	})
	return nil, nil
}

func (r *rooms) attach(ctx context.Context, ref mesh.FuncRef, w worker) error {
	if err := r.exec.Attach(ref, w); err != nil {
		return err
	}
	err := r.catalog.Host(ctx, mesh.FuncInfo{Ref: ref, Kind: mesh.Worker}, r.self, true)
	if err != nil {
		r.exec.Detach(ref, w)
	}
	return err
}

// unhostTimeout bounds the removal of a host from the catalog.
const unhostTimeout = 5 * time.Second

// detach takes a worker's functions back, and tells the mesh of those that
// nobody else runs here.
func (r *rooms) detach(refs []mesh.FuncRef, w worker) {
	for _, ref := range refs {
		r.exec.Detach(ref, w)
		if r.exec.Runs(ref) {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), unhostTimeout)
		if err := r.catalog.Unhost(ctx, ref, r.self); err != nil {
			r.log.Warn("the mesh still believes that a worker's function runs here", "function", ref.String(), "err", err)
		}
		cancel()
	}
}

// receive drains the inbox of an invocation that a worker runs for this node.
func (r *rooms) receive(ctx context.Context, m *pb.Receive) (wire.Message, error) {
	id, err := mesh.ParseInvocationID(m.GetInvocation())
	if err != nil {
		return nil, err
	}
	library, err := r.exec.Library(id)
	if err != nil {
		return nil, err
	}
	wait := time.Duration(min(m.GetWaitUs(), uint64(mesh.MaxFuncTime/time.Microsecond))) * time.Microsecond
	messages, err := library.Recv(ctx, wait)
	if err != nil {
		return nil, err
	}
	reply := &pb.ReceiveReply{}
	for _, message := range messages {
		reply.Messages = append(reply.Messages, &pb.SendMessage{
			From: message.From.String(), To: id.String(), Body: wire.FromValue(message.Body),
		})
	}
	return reply, nil
}
