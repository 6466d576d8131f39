package run

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// invoke runs a stage on this node.
func (r *Runs) invoke(ctx context.Context, s *spec, i int, args []Arg) (mesh.Value, report, error) {
	started := time.Now()
	fn, err := r.function(ctx, &s.stages[i])
	if err != nil {
		return mesh.Value{}, report{}, err
	}
	values, err := r.read(ctx, args)
	if err != nil {
		return mesh.Value{}, report{}, err
	}
	id := mesh.InvocationID{Node: r.cfg.Self, Run: s.run, Stage: s.stages[i].name, Attempt: s.attempt}
	v, err := r.cfg.Executor.Invoke(ctx, Invocation{ID: id, Func: fn, Args: values})
	return v, report{stage: i, started: started, took: time.Since(started), bytes: len(v.Data)}, err
}

// function describes the stage's function: as the coordinator resolved it,
// or, elsewhere, by its version.
func (r *Runs) function(ctx context.Context, s *stage) (mesh.FuncInfo, error) {
	if s.fn.Kind != 0 {
		return s.fn, nil
	}
	return r.cfg.Catalog.Function(ctx, s.fn.Ref)
}
