package run

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/virga-mesh/virga/mesh"
)

// readers bounds the keys that one invocation reads at once.
const readers = 16

// read gives the arguments' values; keys are read here, at once where there
// are several.
func (r *Runs) read(ctx context.Context, args []Arg) ([]mesh.Value, error) {
	if len(args) == 0 {
		return nil, nil
	}
	values := make([]mesh.Value, len(args))
	var refs []int
	for i := range args {
		if args[i].Ref.Name != "" {
			refs = append(refs, i)
			continue
		}
		values[i] = args[i].Value
	}
	switch len(refs) {
	case 0:
		return values, nil
	case 1:
		return values, r.readRef(ctx, args[refs[0]].Ref, &values[refs[0]])
	}
	return values, r.readRefs(ctx, args, refs, values)
}

// readRefs reads several keys at once.
func (r *Runs) readRefs(ctx context.Context, args []Arg, refs []int, values []mesh.Value) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for _, i := range refs {
		group.Go(func() error { return r.readRef(ctx, args[i].Ref, &values[i]) })
	}
	return group.Wait()
}

func (r *Runs) readRef(ctx context.Context, key mesh.Key, v *mesh.Value) (err error) {
	if *v, err = r.cfg.References.Get(ctx, key); err != nil {
		return mesh.AsError("argument "+key.String(), err)
	}
	return nil
}
