package main

import (
	"context"
	"slices"
	"time"

	"github.com/virga-mesh/virga/internal/check"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
	"github.com/virga-mesh/virga/sdk/fn"
)

// nativeWitness does what nativeWeave does, and gives with its result what its
// stage and all stages before it have read and written.
const nativeWitness = "native-witness"

// sighting is one read or write by a stage. What is read or written is its version.
type sighting struct {
	Stage, Key, Version string
	Writes              bool
	Began, Ended        int64 // Unix time in ns, of the clock that all processes share
}

// witnessed is what a witness gives.
type witnessed []sighting

func witness(ctx context.Context, in fn.Variadic[mesh.Value]) (seen witnessed, err error) {
	start := time.Now().UnixNano()
	order, texts, err := weaveArgs(in)
	if err != nil {
		return nil, err
	}
	stage, began := fn.ID(ctx).Stage, order.Began
	for _, arg := range in[1+len(order.Refs):] {
		var parent witnessed
		if err := codec.Decode(arg, &parent); err != nil {
			return nil, err
		}
		for _, s := range parent {
			began = max(began, s.Ended+1)
			if !slices.Contains(seen, s) { // by way of another parent
				seen = append(seen, s)
			}
		}
	}
	for i, key := range order.Refs { // read since those before this stage had ended, and until it began
		seen = append(seen, sighting{Stage: stage, Key: key, Version: texts[i], Began: min(began, start), Ended: start})
	}
	for _, key := range order.Get {
		s := sighting{Stage: stage, Key: key, Began: time.Now().UnixNano()}
		if s.Version, err = fn.Get[string](ctx, key); err != nil {
			return nil, err
		}
		s.Ended = time.Now().UnixNano()
		seen = append(seen, s)
	}
	if order.Put != "" {
		s := sighting{Stage: stage, Key: order.Put, Version: order.Version, Writes: true, Began: time.Now().UnixNano()}
		if err := fn.Put(ctx, order.Put, order.Version); err != nil {
			return nil, err
		}
		s.Ended = time.Now().UnixNano()
		seen = append(seen, s)
	}
	return seen, nil
}

// event is a sighting in a run of a DAG, for a history.
func (s sighting) event(run string, d *mesh.DAG) check.Event {
	return check.Event{
		Run: run, Stage: s.Stage, Ordered: true, Earlier: d.Earlier(s.Stage), Key: s.Key, Version: s.Version, Writes: s.Writes, Acked: s.Writes,
		Began: time.Duration(s.Began), Ended: time.Duration(s.Ended),
	}
}
