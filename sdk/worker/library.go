//go:build !wasip1

package worker

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/effects"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// library is what a function in this process reaches of the mesh: all of it
// over the client's connection.
type library struct {
	client    *sdk.Client
	id        mesh.InvocationID
	namespace string
	ledger    *effects.Ledger // names what the function does, where it may be executed again
	in        mesh.Session    // in which it reads and writes
}

var _ fn.Library = library{}

func (l library) ID() mesh.InvocationID { return l.id }

func (l library) Namespace() string { return l.namespace }

func (l library) Get(ctx context.Context, key mesh.Key) (lattice.Value, error) {
	return l.client.In(key.Namespace).Get(mesh.InSession(ctx, l.in), key.Name)
}

func (l library) Put(ctx context.Context, key mesh.Key, kind lattice.Kind, op lattice.Op) error {
	client, ctx := l.client.In(key.Namespace), mesh.InSession(ctx, l.in)
	if id, age := l.ledger.Write(key, kind, op); id != "" {
		_, err := client.Rewrite(key.Name, kind, op, []byte(id), age).Do(ctx)
		return err
	}
	_, err := client.Put(ctx, key.Name, kind, op)
	return err
}

func (l library) Delete(ctx context.Context, key mesh.Key) error {
	return l.client.In(key.Namespace).Delete(mesh.InSession(ctx, l.in), key.Name)
}

func (l library) Call(ctx context.Context, ref mesh.FuncRef, args []mesh.Value) (mesh.Value, error) {
	return l.function(ref).Call(effects.Calling(mesh.InSession(ctx, l.in), l.ledger.Call(ref, args)), args)
}

func (l library) function(ref mesh.FuncRef) *sdk.Function[fn.Variadic[mesh.Value], mesh.Value] {
	name := ref.Name
	if ref.Version != "" {
		name += "@" + ref.Version
	}
	return sdk.Func[fn.Variadic[mesh.Value], mesh.Value](l.client.In(ref.Namespace), name)
}

// Start gives the run an id that follows from the work: another execution of
// it starts the same run.
func (l library) Start(ctx context.Context, ref mesh.FuncRef, args []mesh.Value) (mesh.RunID, error) {
	function, work := l.function(ref), l.ledger.Start(ref, args)
	function.Options.RunID = work.ID
	future, err := function.Start(effects.Calling(ctx, work), args)
	if err != nil {
		return mesh.RunID{}, err
	}
	return future.ID(), nil
}

func (l library) CallDAG(ctx context.Context, dag mesh.FuncRef, args []fn.StageArg) (mesh.Value, error) {
	handle, stages := l.dag(dag, args)
	results, err := handle.Call(effects.Calling(mesh.InSession(ctx, l.in), l.ledger.CallDAG(dag, fn.Pairs(args))), stages)
	if err != nil {
		return mesh.Value{}, err
	}
	return results.Whole()
}

func (l library) dag(dag mesh.FuncRef, args []fn.StageArg) (*sdk.DAG, sdk.Args) {
	stages := sdk.Args{}
	for _, arg := range args {
		stages[arg.Stage] = append(stages[arg.Stage], arg.Value)
	}
	return l.client.In(dag.Namespace).DAG(dag.Name), stages
}

func (l library) StartDAG(ctx context.Context, dag mesh.FuncRef, args []fn.StageArg) (mesh.RunID, error) {
	work := l.ledger.StartDAG(dag, fn.Pairs(args))
	handle, stages := l.dag(dag, args)
	handle.Options.RunID = work.ID
	run, err := handle.Start(effects.Calling(ctx, work), stages)
	if err != nil {
		return mesh.RunID{}, err
	}
	return run.ID(), nil
}

func (l library) Await(ctx context.Context, id mesh.RunID, noWait bool) (mesh.RunState, mesh.Value, error) {
	run := l.client.Run(id)
	if noWait {
		status, err := run.Status(ctx)
		switch {
		case err != nil:
			return 0, mesh.Value{}, err
		case status.Err != nil:
			return status.State, mesh.Value{}, status.Err
		case status.Undelivered != nil:
			return status.State, mesh.Value{}, status.Undelivered
		case status.State == mesh.Running:
			return status.State, mesh.Value{}, nil
		}
		v, err := status.Results.Whole()
		return status.State, v, err
	}
	results, err := run.Wait(ctx)
	if err != nil {
		return 0, mesh.Value{}, err
	}
	v, err := results.Whole()
	return mesh.Succeeded, v, err
}

func (l library) Send(ctx context.Context, to mesh.InvocationID, body mesh.Value) error {
	return l.client.Send(ctx, l.id, to, body)
}

func (l library) Recv(ctx context.Context, wait time.Duration) ([]fn.Message, error) {
	return l.client.Receive(ctx, l.id, wait)
}
