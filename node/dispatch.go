package node

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/link"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/node/metrics"
)

// Serve implements link.Handler: it answers what peers ask over connections.
func (n *Node) Serve(ctx context.Context, from *link.Conn, req wire.Message) (wire.Message, error) {
	r := n.rooms.Load()
	if r == nil {
		return nil, errNotRunning()
	}
	if err := allow(from.Peer(), req); err != nil {
		return nil, err
	}
	if link.IsInline(ctx) {
		switch m := req.(type) {
		case *pb.Get:
			if reply := r.getAtHand(m); reply != nil {
				return reply, nil
			}
			return nil, link.ErrMustWait
		case *pb.Put:
			return nil, r.beginPut(ctx, m)
		}
	}
	switch m := req.(type) { // what concerns the connection itself
	case *pb.ServeFuncs:
		return r.serveFuncs(ctx, from, m)
	case *pb.Ping:
		return r.dht.HandlePing(from, m)
	case *pb.Members:
		return r.dht.HandleMembers(from, m)
	case *pb.Leaving:
		return nil, r.dht.HandleLeaving(from, m)
	case *pb.Namespaces:
		return r.namespacesFor(ctx, from.Peer(), m)
	}
	return r.serve(withCaller(ctx, from.Peer()), from.Peer().ID, req)
}

// Inline implements link.Handler: what never waits is served at once, and gets
// and puts of what is at hand. Hops and results must not be lost to the bound on
// what is served beside the reader.
func (n *Node) Inline(t wire.Type) bool {
	switch t {
	case typeGet, typePut, typeHop, typeSinkResult, typeEndRun, typeEndRuns, typeAmendRun, typePing, typeLeaving:
		return true
	}
	return false
}

var (
	typeGet        = wire.TypeOf((*pb.Get)(nil))
	typePut        = wire.TypeOf((*pb.Put)(nil))
	typeHop        = wire.TypeOf((*pb.Hop)(nil))
	typeSinkResult = wire.TypeOf((*pb.SinkResult)(nil))
	typeEndRun     = wire.TypeOf((*pb.EndRun)(nil))
	typeEndRuns    = wire.TypeOf((*pb.EndRuns)(nil))
	typeAmendRun   = wire.TypeOf((*pb.AmendRun)(nil))
	typePing       = wire.TypeOf((*pb.Ping)(nil))
	typeLeaving    = wire.TypeOf((*pb.Leaving)(nil))
)

// Do takes a request from this process: the node as an sdk.Transport. The
// node keeps nothing of req after it returned, and the reply is the caller's.
func (n *Node) Do(ctx context.Context, req wire.Message) (wire.Message, error) {
	r := n.rooms.Load()
	if r == nil {
		return nil, errNotRunning()
	}
	return r.serve(ctx, r.self, req)
}

func errNotRunning() error {
	return mesh.Errorf(mesh.Unavailable, "request", "the node is not running: it starts or has stopped")
}

// serve answers a request that the peer from may make, and notes how long that
// takes where somebody looks at it.
func (r *rooms) serve(ctx context.Context, from mesh.NodeID, req wire.Message) (wire.Message, error) {
	l := r.usage.latencies
	if l == nil || !isTimed(req) {
		return r.answer(ctx, from, req)
	}
	began := time.Now()
	reply, err := r.answer(ctx, from, req)
	l.note(time.Since(began))
	return reply, err
}

// answer hands a request to the room that it concerns.
func (r *rooms) answer(ctx context.Context, from mesh.NodeID, req wire.Message) (wire.Message, error) {
	if reply, known, err := r.serveState(ctx, req); known {
		return reply, err
	}
	switch m := req.(type) {
	case *pb.Namespaces:
		return r.replica.HandleNamespaces(ctx, m)
	case *pb.Watch:
		return r.watches.Handle(ctx, m)
	case *pb.Call:
		return r.call(ctx, m)
	case *pb.CallDAG:
		return r.callDAG(ctx, m)
	case *pb.AwaitRun:
		return r.awaitRun(ctx, m)
	case *pb.CancelRun:
		return r.cancelRun(ctx, m)
	case *pb.SendMessage:
		return r.sendMessage(ctx, m)
	case *pb.Receive:
		return r.receive(ctx, m)
	case *pb.Status:
		return r.status(), nil
	case *pb.Stats:
		return r.statsOf(ctx, m)
	case *pb.Backup:
		return r.replica.HandleBackup(ctx, m)
	case *pb.Restore:
		return nil, r.replica.HandleRestore(ctx, m)
	case *pb.Drain:
		return r.serveDrain(ctx, m)
	case *pb.Forget:
		return nil, r.serveForget(ctx, m)
	}
	if reply, known, err := r.serveCatalog(ctx, req); known {
		return reply, err
	}
	if reply, known, err := r.serveTriggers(ctx, req); known {
		return reply, err
	}
	return r.serveNode(ctx, from, req)
}

// serveState answers what concerns keys, and counts it.
func (r *rooms) serveState(ctx context.Context, req wire.Message) (reply wire.Message, known bool, err error) {
	switch m := req.(type) {
	case *pb.Get:
		reply, err = r.get(ctx, m)
		r.requests.Count(metrics.Get, err)
	case *pb.GetElement:
		reply, err = r.replica.HandleGetElement(ctx, m)
		r.requests.Count(metrics.Get, err)
	case *pb.GetPage:
		reply, err = r.replica.HandleGetPage(ctx, m)
		r.requests.Count(metrics.Get, err)
	case *pb.Put:
		reply, err = r.put(ctx, m)
		r.countUnless(m.Forwarded, metrics.Put, err)
	case *pb.Delete:
		reply, err = r.delete(ctx, m)
		r.countUnless(m.Forwarded, metrics.Delete, err)
	case *pb.Touch:
		reply, err = r.replica.HandleTouch(ctx, m)
		r.countUnless(m.Forwarded, metrics.Put, err)
	case *pb.CompareAndSet:
		reply, err = r.replica.HandleCompareAndSet(ctx, m)
		r.countUnless(m.Forwarded, metrics.Put, err)
	case *pb.GetAll:
		reply, err = r.replica.HandleGetAll(ctx, m)
		r.requests.Count(metrics.Get, err)
	case *pb.PutAll:
		reply, err = r.replica.HandlePutAll(ctx, m)
		r.requests.Count(metrics.Put, err)
	case *pb.List:
		reply, err = r.replica.HandleList(ctx, m)
		r.countUnless(m.Local, metrics.List, err)
	case *pb.GetRange:
		reply, err = r.getRange(ctx, m)
		r.countUnless(m.Forwarded, metrics.Get, err)
	case *pb.Scan:
		reply, err = r.replica.HandleScan(ctx, m)
		r.countUnless(m.Local, metrics.List, err)
	default:
		return nil, false, nil
	}
	return reply, true, err
}

// countUnless counts a request, except one that another node took and counted.
func (r *rooms) countUnless(passedOn bool, o metrics.Operation, err error) {
	if !passedOn {
		r.requests.Count(o, err)
	}
}

// serveCatalog answers what concerns functions and DAGs.
func (r *rooms) serveCatalog(ctx context.Context, req wire.Message) (reply wire.Message, known bool, err error) {
	switch m := req.(type) {
	case *pb.Deploy:
		reply, err = r.deploy(ctx, m)
	case *pb.GetFunc:
		reply, err = r.getFunc(ctx, m)
	case *pb.ListFuncs:
		reply, err = r.listFuncs(ctx, m)
	case *pb.DeleteFunc:
		reply, err = r.deleteFunc(ctx, m)
	case *pb.UseVersion:
		reply, err = r.useVersion(ctx, m)
	case *pb.SetAlias:
		reply, err = r.setAlias(ctx, m)
	case *pb.CreateDAG:
		reply, err = r.createDAG(ctx, m)
	case *pb.GetDAG:
		reply, err = r.getDAG(ctx, m)
	case *pb.ListDAGs:
		reply, err = r.listDAGs(ctx, m)
	case *pb.Usage:
		reply, err = r.funcUsages(ctx, m)
	case *pb.PinFunc:
		reply, err = r.pinFunc(ctx, m)
	case *pb.DeleteDAG:
		err = r.catalog.DeleteDAG(ctx, m.GetNamespace(), m.GetName())
	default:
		return nil, false, nil
	}
	return reply, true, err
}

// serveNode answers what only nodes ask of each other.
func (r *rooms) serveNode(ctx context.Context, from mesh.NodeID, req wire.Message) (wire.Message, error) {
	if reply, known, err := r.serveSync(ctx, from, req); known {
		return reply, err
	}
	switch m := req.(type) {
	case *pb.Merge:
		return r.replica.HandleMerge(ctx, m)
	case *pb.MergeMany:
		return r.replica.HandleMergeMany(ctx, m)
	case *pb.AskWrite:
		return r.replica.HandleAskWrite(from, m)
	case *pb.Fetch:
		return r.replica.HandleFetch(ctx, from, m)
	case *pb.FetchParts:
		return r.replica.HandleFetchParts(ctx, m)
	case *pb.Give:
		return nil, r.replica.HandleGive(ctx, m)
	case *pb.Holdings:
		return nil, r.published.HandleHoldings(from, m)
	case *pb.Workload:
		return nil, r.heardWorkload(from, m)
	case *pb.Tail:
		return r.watches.HandleTail(ctx, m)
	case *pb.Push:
		return r.cache.HandlePush(from, m)
	case *pb.Hop:
		return nil, r.runs.HandleHop(from, m)
	case *pb.SinkResult:
		return nil, r.runs.HandleSinkResult(from, m)
	case *pb.EndRun:
		return nil, r.runs.HandleEndRun(from, m)
	case *pb.EndRuns:
		return nil, r.runs.HandleEndRuns(from, m)
	case *pb.SurveyRun:
		return r.runs.HandleSurveyRun(from, m)
	case *pb.AmendRun:
		return nil, r.runs.HandleAmendRun(from, m)
	case *pb.CheckRuns:
		return r.runs.HandleCheckRuns(from, m)
	case *pb.Invoke:
		return r.runs.HandleInvoke(ctx, m)
	case *pb.PinRead:
		return r.sessions.HandlePinRead(ctx, from, m)
	case *pb.PinWrite:
		return r.sessions.HandlePinWrite(ctx, from, m)
	case *pb.ReadPinned:
		return r.sessions.HandleReadPinned(m)
	case *pb.ForgetPinned:
		return nil, r.sessions.HandleForgetPinned(m)
	case *pb.EndSession:
		return nil, r.sessions.HandleEndSession(from, m)
	case *pb.Vouch:
		return r.cut.HandleVouch(ctx, from, m)
	case *pb.AwaitCommit:
		return r.txns.HandleAwaitCommit(ctx, from, m)
	case *pb.HotReport:
		return nil, r.hot.HandleReport(from, m)
	case *pb.HotKeys:
		return nil, r.hot.HandleHotKeys(m)
	case *pb.CatalogChanged:
		r.catalog.Forget(m.GetNamespace(), m.GetName())
		return nil, nil
	}
	return nil, mesh.Errorf(mesh.Invalid, "request", "%T is not a request", req)
}
