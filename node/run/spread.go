package run

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/effects"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// How long an element waits after all nodes were too busy for it.
const (
	busyFirst   = 5 * time.Millisecond
	busyLongest = time.Second
)

// maxLost is how many nodes may fail an element before it fails. A node that
// dies cannot always be told from a function that says it is Unavailable.
const maxLost = 3

// anywhere runs a piece of work here while there is room, else on another node that is
// able to. When that node is lost, or about to be, it runs elsewhere; when it
// is overloaded, a little later.
func (r *Runs) anywhere(ctx context.Context, t *piece, args []mesh.Value) (mesh.Value, error) {
	first := time.Now()
	var lost []mesh.NodeID
	busy := busyFirst
	for {
		node, release := r.pick(t, lost)
		v, err := r.at(ctx, node, t, args)
		release()
		if node == r.cfg.Self {
			v, err = r.unlessRefused(ctx, t, args, v, err)
		}
		switch {
		case err == nil || ctx.Err() != nil:
			return v, err
		case mesh.KindOf(err) == mesh.Unavailable && node != r.cfg.Self && len(lost) < maxLost:
			lost = append(lost, node)
			*t = t.again(first)
		case mesh.KindOf(err) == mesh.Overloaded:
			if !pause(ctx, busy) {
				return mesh.Value{}, err
			}
			busy = min(2*busy, busyLongest)
		default:
			return mesh.Value{}, err
		}
	}
}

// pick chooses where an element runs. release is called when it has run.
func (r *Runs) pick(t *piece, lost []mesh.NodeID) (node mesh.NodeID, release func()) {
	if r.takeRoom(t.fn) {
		return r.cfg.Self, func() { r.elements.Add(-1) }
	}
	if other, ok := r.another(t, "round-robin", lost); ok {
		r.counts.elsewhere.Add(1)
		return other, func() {}
	}
	return r.cfg.Self, func() {} // it waits for its turn
}

// takeRoom reserves room for an element on this node, if there is any.
func (r *Runs) takeRoom(fn mesh.FuncInfo) bool {
	if r.cfg.Room == nil {
		r.elements.Add(1)
		return true
	}
	free, limit := r.cfg.Room(fn)
	if free > 0 && r.elements.Add(1) <= int64(limit) {
		return true
	}
	if free > 0 {
		r.elements.Add(-1)
	}
	return false
}

// executeElsewhere executes a piece on another node.
func (r *Runs) executeElsewhere(ctx context.Context, node mesh.NodeID, t *piece, args []mesh.Value) (mesh.Value, error) {
	id := t.id
	id.Node = node
	m := &pb.Invoke{Ref: wire.FromFuncRef(t.fn.Ref), Invocation: id.String(), Args: make([]*pb.Value, len(args))}
	for i, arg := range args {
		m.Args[i] = wire.FromValue(arg)
	}
	m.Work, m.WorkAgeUs = workMessage(t.work)
	m.Session, m.Past = wire.FromSession(t.in), r.past(t.in)
	reply, err := r.cfg.Peers.Call(ctx, node, m)
	if err != nil {
		return mesh.Value{}, err
	}
	result, ok := reply.(*pb.InvokeReply)
	if !ok {
		return mesh.Value{}, mesh.Errorf(mesh.Internal, "", "node %s answered with %T: expected %T", node.Short(), reply, result)
	}
	if t.meter != nil {
		t.meter.heed(result)
	}
	if err := r.learn(t.in, result.Past); err != nil {
		return mesh.Value{}, err
	}
	return wire.ToValue(result.GetResult())
}

// HandleInvoke executes a function for a stage that another node runs.
//
// Errors: those of the function; Invalid for what is not for this node;
// Overloaded beyond the bounds of the executor.
func (r *Runs) HandleInvoke(ctx context.Context, m *pb.Invoke) (*pb.InvokeReply, error) {
	v, err := parseInvoke(m)
	if err != nil {
		return nil, err
	}
	switch {
	case r.ctx.Err() != nil:
		return nil, errClosed()
	case v.ID.Node != r.cfg.Self:
		return nil, mesh.Errorf(mesh.Invalid, "invoke", "invocation %s: expected one of node %s", v.ID, r.cfg.Self)
	}
	if v.Func, err = r.cfg.Catalog.Function(ctx, v.Func.Ref); err != nil {
		return nil, err
	}
	if !v.In.IsZero() {
		r.cfg.Sessions.Retain(v.In)
		defer r.cfg.Sessions.Release(v.In)
	}
	if err := r.learn(v.In, m.Past); err != nil {
		return nil, err
	}
	v.Meter = &Meter{}
	result, err := r.cfg.Executor.Invoke(ctx, v)
	if err != nil {
		r.settle(ctx, v.In)
		return nil, err
	}
	reply := &pb.InvokeReply{Result: wire.FromValue(result), Past: r.past(v.In)}
	v.Meter.tell(reply)
	return reply, nil
}

func parseInvoke(m *pb.Invoke) (v Invocation, err error) {
	if v.Func.Ref, err = wire.ToFuncRef(m.GetRef()); err != nil {
		return v, err
	}
	if v.ID, err = mesh.ParseInvocationID(m.GetInvocation()); err != nil {
		return v, err
	}
	v.Args = make([]mesh.Value, len(m.GetArgs()))
	for i, arg := range m.GetArgs() {
		if v.Args[i], err = wire.ToValue(arg); err != nil {
			return v, err
		}
	}
	if v.Work, err = parseWork(m.GetWork(), m.GetWorkAgeUs()); err != nil {
		return v, err
	}
	v.In, err = wire.ToSession(m.GetSession())
	return v, err
}

// workMessage gives a work as it travels: its id, and its age in µs.
func workMessage(w effects.Work) (id []byte, age uint64) {
	if !w.Named() {
		return nil, 0
	}
	return w.ID[:], uint64(w.Age() / time.Microsecond)
}

// parseWork reads what workMessage gives.
func parseWork(id []byte, age uint64) (effects.Work, error) {
	if len(id) == 0 {
		return effects.Work{}, nil
	}
	parsed, err := wire.ToRunID(id)
	return effects.Aged(parsed, micros(age)), err
}

// micros reads a time in µs that a peer tells, up to MaxTimeout.
func micros(us uint64) time.Duration {
	return time.Duration(min(us, uint64(MaxTimeout/time.Microsecond))) * time.Microsecond
}
