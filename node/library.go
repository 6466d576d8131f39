package node

import (
	"context"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/effects"
	"github.com/virga-mesh/virga/node/metrics"
	"github.com/virga-mesh/virga/node/run"
	"github.com/virga-mesh/virga/node/session"
	"github.com/virga-mesh/virga/sdk/fn"
)

// library is the part of fn.Library that needs the mesh. What concerns the
// invocation alone (its namespace, its inbox) the executor adds.
type library struct {
	rooms     *rooms
	id        mesh.InvocationID
	namespace string
	in        mesh.Session
	sent      correspondence
	// ledger names what the function does, where it may be executed again.
	ledger *effects.Ledger
	meter  *run.Meter // of the stage that runs it; nil: nobody asks
}

var _ fn.Library = (*library)(nil)

func (l *library) ID() mesh.InvocationID { return l.id }

func (l *library) Namespace() string { return l.namespace }

func (l *library) Get(ctx context.Context, key mesh.Key) (lattice.Value, error) {
	if err := l.mayTouch(key); err != nil {
		return lattice.Value{}, err
	}
	value, here, err := l.rooms.inSession.Get(ctx, l.in, key)
	l.rooms.requests.Count(metrics.Get, err)
	if err == nil {
		l.meter.Read(here, value.Size())
	}
	return value, err
}

func (l *library) Put(ctx context.Context, key mesh.Key, kind lattice.Kind, op lattice.Op) error {
	if err := l.mayTouch(key); err != nil {
		return err
	}
	write, age := l.ledger.Write(key, kind, op)
	err := l.rooms.inSession.Put(ctx, l.in, session.Write{Key: key, Kind: kind, Op: op, ID: write}, func(causes *session.Causes) error {
		return l.rooms.state.PutOnce(ctx, key, kind, op, write, age, causes)
	})
	l.rooms.requests.Count(metrics.Put, err)
	return err
}

func (l *library) Delete(ctx context.Context, key mesh.Key) error {
	if err := l.mayTouch(key); err != nil {
		return err
	}
	err := l.rooms.inSession.Delete(ctx, l.in, key, func(causes *session.Causes) error {
		return l.rooms.state.DeleteFor(ctx, key, causes)
	})
	l.rooms.requests.Count(metrics.Delete, err)
	return err
}

// mayTouch keeps functions away from what the mesh knows of itself.
func (l *library) mayTouch(key mesh.Key) error {
	if key.Namespace == mesh.SystemNamespace {
		return mesh.Errorf(mesh.Denied, "key "+key.String(), "namespace %q is for nodes only", key.Namespace)
	}
	return key.Validate()
}

func (l *library) Call(ctx context.Context, ref mesh.FuncRef, args []mesh.Value) (mesh.Value, error) {
	request := requestOf(ref, args)
	request.Work, request.In = l.ledger.Call(ref, args), l.in
	reply, err := l.rooms.runs.Call(ctx, request)
	if err != nil || len(reply.Results) == 0 {
		return mesh.Value{}, err
	}
	return reply.Results[0].Value, nil
}

func requestOf(ref mesh.FuncRef, args []mesh.Value) run.Request {
	request := run.Request{Func: ref, Args: make([]run.Arg, len(args))}
	for i, arg := range args {
		request.Args[i].Value = arg
	}
	return request
}

// Start gives the run an id that follows from the work: another execution of
// it starts the same run.
func (l *library) Start(ctx context.Context, ref mesh.FuncRef, args []mesh.Value) (mesh.RunID, error) {
	request := requestOf(ref, args)
	request.Future, request.Work = true, l.ledger.Start(ref, args)
	request.ID = request.Work.ID
	reply, err := l.rooms.runs.Call(ctx, request)
	return reply.ID, err
}

func (l *library) CallDAG(ctx context.Context, dag mesh.FuncRef, args []fn.StageArg) (mesh.Value, error) {
	request := requestOfDAG(dag, args)
	request.Work, request.In = l.ledger.CallDAG(dag, fn.Pairs(args)), l.in
	reply, err := l.rooms.runDAG(ctx, request)
	if err != nil {
		return mesh.Value{}, err
	}
	return reply.Whole()
}

func requestOfDAG(dag mesh.FuncRef, args []fn.StageArg) run.Request {
	request := run.Request{Namespace: dag.Namespace, DAG: dag.Name, StageArgs: map[string][]run.Arg{}}
	for _, arg := range args {
		request.StageArgs[arg.Stage] = append(request.StageArgs[arg.Stage], run.Arg{Value: arg.Value})
	}
	return request
}

func (l *library) StartDAG(ctx context.Context, dag mesh.FuncRef, args []fn.StageArg) (mesh.RunID, error) {
	request := requestOfDAG(dag, args)
	request.Future, request.Work = true, l.ledger.StartDAG(dag, fn.Pairs(args))
	request.ID = request.Work.ID
	reply, err := l.rooms.runDAG(ctx, request)
	return reply.ID, err
}

func (l *library) Await(ctx context.Context, id mesh.RunID, noWait bool) (mesh.RunState, mesh.Value, error) {
	record, err := l.rooms.runs.Await(ctx, id, noWait)
	if err != nil {
		return 0, mesh.Value{}, err
	}
	return record.Outcome()
}
