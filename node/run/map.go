package run

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

// mapped runs a piece for each element of the list that is its last argument,
// and gives the list of results in the format of that list. The first
// element that fails ends the others.
func (r *Runs) mapped(ctx context.Context, t piece, args []mesh.Value) (mesh.Value, error) {
	if len(args) == 0 {
		return mesh.Value{}, mesh.Errorf(mesh.Invalid, "", "a map of no arguments: expected a list as the last one")
	}
	list := args[len(args)-1]
	elements, err := codec.Elements(list)
	switch {
	case err != nil:
		return mesh.Value{}, within(err, "argument %d, to be mapped", len(args))
	case len(elements) > mesh.MaxElements:
		return mesh.Value{}, mesh.Errorf(mesh.Invalid, "", "a map of %d elements: expected at most %d", len(elements), mesh.MaxElements)
	}
	results := make([]mesh.Value, len(elements))
	if err := r.mapEach(ctx, t, args[:len(args)-1], elements, results); err != nil {
		return mesh.Value{}, err
	}
	return codec.List(list.Format, results)
}

// mapEach fills in the results, at most so many at once as the options say.
// What they take counts while they are gathered.
func (r *Runs) mapEach(ctx context.Context, t piece, common, elements, results []mesh.Value) error {
	var held atomic.Int64
	defer func() { r.charge(-held.Load()) }()
	group, all := errgroup.WithContext(ctx)
	group.SetLimit(t.options.Map.Parallel)
	for i, element := range elements {
		if all.Err() != nil {
			break
		}
		group.Go(func() error {
			args := append(append(make([]mesh.Value, 0, len(common)+1), common...), element)
			v, err := r.retried(all, t.element(i), args)
			if err == nil {
				err = r.charge(int64(len(v.Data)))
			}
			if err != nil {
				return within(err, "element %d", i)
			}
			held.Add(int64(len(v.Data)))
			results[i] = v
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err() // of a run that ended before its last element began
}

// element is the piece of one element of a list.
func (t piece) element(i int) piece {
	name := fmt.Sprintf("[%d]", i)
	t.id.Stage += name
	t.work = t.work.Part(name)
	t.spread = true
	return t
}
