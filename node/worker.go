package node

import (
	"context"
	"sync"
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
	if inv.Work.Named() {
		request.Work, request.WorkAgeUs = inv.Work.ID[:], uint64(inv.Work.Age()/time.Microsecond)
	}
	request.Session = wire.FromSession(inv.In)
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

// maxOffered bounds the functions of one worker.
const maxOffered = 256

// offers are the connections over which workers offer functions: each once,
// so that a worker cannot have a node watch for it without bound.
type offers struct {
	lock  sync.Mutex
	conns map[*link.Conn]struct{}
}

func (o *offers) begin(conn *link.Conn) error {
	o.lock.Lock()
	defer o.lock.Unlock()
	if _, offers := o.conns[conn]; offers {
		return mesh.Errorf(mesh.Conflict, "serve functions", "this connection offers functions already: expected one offer a connection")
	}
	if o.conns == nil {
		o.conns = map[*link.Conn]struct{}{}
	}
	o.conns[conn] = struct{}{}
	return nil
}

func (o *offers) end(conn *link.Conn) {
	o.lock.Lock()
	defer o.lock.Unlock()
	delete(o.conns, conn)
}

// serveFuncs takes functions that a worker offers over its connection. They
// are its until the connection ends.
func (r *rooms) serveFuncs(ctx context.Context, conn *link.Conn, m *pb.ServeFuncs) (wire.Message, error) {
	refs, err := offered(m)
	if err != nil {
		return nil, err
	}
	if err := r.offers.begin(conn); err != nil {
		return nil, err
	}
	withdraw := func(refs []mesh.FuncRef) {
		r.detach(refs, worker{conn})
		r.offers.end(conn)
	}
	for i, ref := range refs {
		if err := r.attach(ctx, ref, worker{conn}); err != nil {
			withdraw(refs[:i])
			return nil, err
		}
	}
	watched := r.background(func(ctx context.Context) {
		select {
		case <-conn.Done():
		case <-ctx.Done():
		}
		withdraw(refs)
	})
	if !watched {
		withdraw(refs)
		return nil, errNotRunning()
	}
	return nil, nil
}

// offered reads what a worker offers.
func offered(m *pb.ServeFuncs) ([]mesh.FuncRef, error) {
	if n := len(m.GetFunctions()); n == 0 || n > maxOffered {
		return nil, mesh.Errorf(mesh.Invalid, "serve functions", "%d functions: expected 1 to %d", n, maxOffered)
	}
	refs := make([]mesh.FuncRef, 0, len(m.GetFunctions()))
	for _, function := range m.GetFunctions() {
		ref, err := wire.ToFuncRef(function)
		if err != nil {
			return nil, err
		}
		ref.Version = workerVersion
		refs = append(refs, ref)
	}
	return refs, nil
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
