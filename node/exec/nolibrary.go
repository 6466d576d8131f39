package exec

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn"
)

// noLibrary stands in where an invocation comes without one.
type noLibrary struct{}

var errNoLibrary = mesh.Errorf(mesh.Unavailable, "", "this invocation was given no library")

func (noLibrary) ID() mesh.InvocationID { return mesh.InvocationID{} }

func (noLibrary) Namespace() string { return "" }

func (noLibrary) Get(context.Context, mesh.Key) (lattice.Value, error) {
	return lattice.Value{}, errNoLibrary
}

func (noLibrary) Put(context.Context, mesh.Key, lattice.Kind, lattice.Op) error { return errNoLibrary }

func (noLibrary) Delete(context.Context, mesh.Key) error { return errNoLibrary }

func (noLibrary) Call(context.Context, mesh.FuncRef, []mesh.Value) (mesh.Value, error) {
	return mesh.Value{}, errNoLibrary
}

func (noLibrary) Start(context.Context, mesh.FuncRef, []mesh.Value) (mesh.RunID, error) {
	return mesh.RunID{}, errNoLibrary
}

func (noLibrary) CallDAG(context.Context, mesh.FuncRef, []fn.StageArg) (mesh.Value, error) {
	return mesh.Value{}, errNoLibrary
}

func (noLibrary) StartDAG(context.Context, mesh.FuncRef, []fn.StageArg) (mesh.RunID, error) {
	return mesh.RunID{}, errNoLibrary
}

func (noLibrary) Await(context.Context, mesh.RunID, bool) (mesh.RunState, mesh.Value, error) {
	return 0, mesh.Value{}, errNoLibrary
}

func (noLibrary) Send(context.Context, mesh.InvocationID, mesh.Value) error { return errNoLibrary }

func (noLibrary) Recv(context.Context, time.Duration) ([]fn.Message, error) { return nil, errNoLibrary }
