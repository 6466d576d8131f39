package run

import (
	"context"
	"fmt"
	"iter"

	"golang.org/x/sync/errgroup"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

// How many keys one invocation reads, and how many runs it waits for, at once.
const (
	readers = 16
	waiters = 128
)

// maxFilled bounds an argument with all that it refers to in place, in bytes.
const maxFilled = 64 << 20

// referencesOf gives all references in arguments, with their number, from 1,
// and where they stand in it, and how often the same one was there before.
func referencesOf(args []Arg) iter.Seq2[mesh.Reference, place] {
	return func(yield func(mesh.Reference, place) bool) {
		for i := range args {
			if !args[i].Ref.IsZero() && !yield(args[i].Ref, place{i + 1, ""}) {
				return
			}
			for j := range args[i].Holes {
				if hole := &args[i].Holes[j]; !yield(hole.Reference, place{i + 1, hole.Path}) {
					return
				}
			}
		}
	}
}

// place is where a reference stands: in which argument, from 1, and where in it.
type place struct {
	arg  int
	path string
}

func (p place) String() string { return fmt.Sprintf("argument %d%s", p.arg, p.path) }

// references lists the keys that arguments refer to.
func references(args []Arg) (keys []mesh.Key) {
	for r := range referencesOf(args) {
		if r.Run == (mesh.RunID{}) {
			keys = append(keys, r.Key)
		}
	}
	return keys
}

// read gives the arguments' values. What they refer to is read here, all at
// once, each key and each run once. An error names the argument, the place in
// it, and the key or the run.
func (r *Runs) read(ctx context.Context, in mesh.Session, args []Arg, meter *Meter) ([]mesh.Value, error) {
	if len(args) == 0 {
		return nil, nil
	}
	values := make([]mesh.Value, len(args))
	found, err := r.readAll(ctx, in, args, meter)
	if err != nil {
		return nil, err
	}
	for i := range args {
		switch a := &args[i]; {
		case !a.Ref.IsZero():
			values[i] = found.value(a.Ref)
		case len(a.Holes) > 0:
			if values[i], err = found.fill(a); err != nil {
				return nil, mesh.Errorf(mesh.KindOf(err), fmt.Sprintf("argument %d", i+1), "%w", err)
			}
		default:
			values[i] = a.Value
		}
	}
	return values, nil
}

// found is what references stand for, without their Raw.
type found map[mesh.Reference]*mesh.Value

func (f found) value(r mesh.Reference) mesh.Value {
	raw := r.Raw
	r.Raw = false
	v := *f[r]
	if raw && !v.IsZero() {
		v.Format = mesh.Raw
	}
	return v
}

func (f found) fill(a *Arg) (mesh.Value, error) {
	values, size := make([]mesh.Value, len(a.Holes)), len(a.Value.Data)
	for i := range a.Holes {
		values[i] = f.value(a.Holes[i].Reference)
		if size += len(values[i].Data); size > maxFilled {
			return mesh.Value{}, mesh.Errorf(mesh.Invalid, "", "it has more than %d bytes with what it refers to: expected less; refer to large values by arguments of their own", maxFilled)
		}
	}
	return codec.Fill(a.Value, a.Holes, values)
}

// reading is one thing that arguments refer to, where they first do.
type reading struct {
	mesh.Reference
	place
	into *mesh.Value
}

func (r *Runs) readAll(ctx context.Context, in mesh.Session, args []Arg, meter *Meter) (found, error) {
	var all found
	var keys, runs []reading
	for ref, where := range referencesOf(args) {
		ref.Raw = false
		if all[ref] != nil {
			continue
		}
		if all == nil {
			all = found{}
		}
		all[ref] = new(mesh.Value)
		if item := (reading{ref, where, all[ref]}); ref.Run != (mesh.RunID{}) {
			runs = append(runs, item)
		} else {
			keys = append(keys, item)
		}
	}
	switch {
	case len(runs) == 0 && len(keys) == 0:
		return nil, nil
	case len(runs) == 0 && len(keys) == 1:
		return all, r.readKey(ctx, in, keys[0], meter)
	}
	readKey := func(ctx context.Context, item reading) error { return r.readKey(ctx, in, item, meter) }
	seen := r.deeper(in)
	group, within := errgroup.WithContext(ctx)
	group.Go(func() error { return each(within, readers, keys, readKey) })
	group.Go(func() error { return each(within, waiters, runs, r.readRun) })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return all, r.readAgain(ctx, in, keys, seen)
}

// mostRereads bounds how often keys are read once more that are written all the time.
const mostRereads = 4

// readAgain reads keys once more, at a causal level, as long as one turned out
// to depend on what another may not have been read with: they are to be of one cut.
func (r *Runs) readAgain(ctx context.Context, in mesh.Session, keys []reading, seen uint64) error {
	if len(keys) < 2 {
		return nil
	}
	for range mostRereads {
		now := r.deeper(in)
		if now == seen {
			break
		}
		seen = now
		again := func(ctx context.Context, item reading) error { return r.readKey(ctx, in, item, nil) }
		if err := each(ctx, readers, keys, again); err != nil {
			return err
		}
	}
	return nil
}

// each does something with all items, some at once, up to the first error.
func each(ctx context.Context, limit int, items []reading, do func(context.Context, reading) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(limit)
	for _, item := range items {
		group.Go(func() error { return do(ctx, item) })
	}
	return group.Wait()
}

func (r *Runs) readKey(ctx context.Context, in mesh.Session, item reading, meter *Meter) error {
	v, here, err := r.cfg.References.Get(ctx, in, item.Key)
	if err != nil {
		return item.failed(err, "%s: %s", item.Reference, mesh.AsError("", err).Text())
	}
	meter.Read(here, len(v.Data))
	*item.into = v
	return nil
}

// readRun waits for a run, wherever it is coordinated.
func (r *Runs) readRun(ctx context.Context, item reading) error {
	record, err := r.await(ctx, item.Run, false)
	switch {
	case err != nil:
		return item.failed(err, "%s: %s", item.Reference, mesh.AsError("", err).Text())
	case record.Err != nil:
		return item.failed(record.Err, "%s failed: %s", item.Reference, record.Err)
	case record.State != mesh.Succeeded || len(record.Results) != 1:
		return mesh.Errorf(mesh.Invalid, item.place.String(), "%s %s with %d results: expected one that succeeded with one", item.Reference, record.State, len(record.Results))
	}
	*item.into = record.Results[0].Value
	return nil
}

// failed words an error about what could not be read, of its kind.
func (item reading) failed(err error, format string, args ...any) error {
	e := *mesh.AsError("", err)
	e.Op, e.Stage, e.Msg, e.Err = item.place.String(), "", fmt.Sprintf(format, args...), nil
	return &e
}
