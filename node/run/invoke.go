package run

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

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

// readers bounds the keys that one invocation reads at once.
const readers = 16

// read gives the arguments' values; keys are read here, at once where there
// are several.
func (r *Runs) read(ctx context.Context, args []Arg) ([]mesh.Value, error) {
	if len(args) == 0 {
		return nil, nil
	}
	values := make([]mesh.Value, len(args))
	refs := 0
	for i := range args {
		if args[i].Ref.Name != "" {
			refs++
			continue
		}
		values[i] = args[i].Value
	}
	switch refs {
	case 0:
		return values, nil
	case 1:
		return values, r.readRefs(ctx, args, func(read func() error) error { return read() }, values)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	if err := r.readRefs(ctx, args, func(read func() error) error { group.Go(read); return nil }, values); err != nil {
		return nil, err
	}
	return values, group.Wait()
}

// readRefs hands the reading of each key to do.
func (r *Runs) readRefs(ctx context.Context, args []Arg, do func(read func() error) error, values []mesh.Value) error {
	for i := range args {
		if args[i].Ref.Name == "" {
			continue
		}
		err := do(func() (err error) {
			if values[i], err = r.cfg.References.Get(ctx, args[i].Ref); err != nil {
				err = mesh.AsError("argument "+args[i].Ref.String(), err)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
