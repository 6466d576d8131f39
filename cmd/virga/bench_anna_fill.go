package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

const (
	fillers   = 8   // callers at once
	fillBatch = 500 // puts of one request
)

// fill writes so many registers through a client, in batches, and returns when
// every owner has them.
func (m *benchMesh) fill(ctx context.Context, client *sdk.Client, keys int, values annaValues) error {
	return m.fillBy(ctx, client, keys, func(i int) sdk.Putting {
		return sdk.Putting{Name: annaKey(i), Kind: lattice.LWWKind, Op: lattice.SetOp(values.at(i))}
	})
}

// fillBy is fill for puts of any kind, by their number.
func (m *benchMesh) fillBy(ctx context.Context, client *sdk.Client, keys int, put func(i int) sdk.Putting) error {
	client = client.WithState(sdk.StateOptions{WriteQuorum: min(2, len(m.nodes), m.replicas), Durability: mesh.Memory})
	var next atomic.Int64
	group, within := errgroup.WithContext(ctx)
	for range fillers {
		group.Go(func() error {
			for from := int(next.Add(fillBatch)) - fillBatch; from < keys; from = int(next.Add(fillBatch)) - fillBatch {
				var puts []sdk.Putting
				for i := from; i < min(from+fillBatch, keys); i++ {
					puts = append(puts, put(i))
				}
				if err := putAll(within, client, puts); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return m.whole(ctx, len(m.nodes))
}

// putAll makes puts until all are made. A node with too much to do may answer
// Unavailable, too.
func putAll(ctx context.Context, client *sdk.Client, puts []sdk.Putting) error {
	for len(puts) > 0 {
		results, err := client.PutAll(ctx, puts...)
		if err != nil {
			return err
		}
		var again []sdk.Putting
		for i, result := range results {
			switch {
			case errors.Is(result.Err, mesh.Overloaded), errors.Is(result.Err, mesh.Unavailable):
				again = append(again, puts[i])
			case result.Err != nil:
				return result.Err
			}
		}
		if puts = again; len(puts) > 0 {
			if err := rest(ctx, overloadPause); err != nil {
				return err
			}
		}
	}
	return nil
}

// rest waits, unless ctx ends before.
func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return mesh.AsError("bench", ctx.Err())
	}
}
