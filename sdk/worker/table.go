//go:build !wasip1

package worker

import (
	"context"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/effects"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// table finds a worker's functions by name.
type table struct {
	client    *sdk.Client
	functions map[mesh.FuncRef]fn.Raw // without version
}

func newTable(client *sdk.Client, functions []fn.Function) (*table, error) {
	if len(functions) == 0 {
		return nil, mesh.Errorf(mesh.Invalid, "worker", "no functions: expected at least one")
	}
	t := &table{client, make(map[mesh.FuncRef]fn.Raw, len(functions))}
	for _, f := range functions {
		ref := mesh.FuncRef{Namespace: client.Namespace(), Name: f.Name}
		if err := ref.Validate(); err != nil {
			return nil, err
		}
		if _, twice := t.functions[ref]; twice {
			return nil, mesh.Errorf(mesh.Invalid, "worker", "function %s is handled twice", ref)
		}
		t.functions[ref] = f.Raw
	}
	return t, nil
}

func (t *table) refs() []mesh.FuncRef {
	refs := make([]mesh.FuncRef, 0, len(t.functions))
	for ref := range t.functions {
		refs = append(refs, ref)
	}
	return refs
}

// invoke is the sdk.Invoker of the worker.
func (t *table) invoke(ctx context.Context, ref mesh.FuncRef, args []mesh.Value, id mesh.InvocationID) (mesh.Value, error) {
	ref.Version = "" // there is one of each
	raw, ok := t.functions[ref]
	if !ok {
		return mesh.Value{}, mesh.Errorf(mesh.NotFound, "invoke "+ref.String(), "this worker has no such function")
	}
	library := library{t.client, id, ref.Namespace, effects.NewLedger(effects.Executed(ctx)), mesh.SessionOf(ctx)}
	return raw(fn.WithLibrary(mesh.InSession(ctx, mesh.Session{}), library), args)
}
