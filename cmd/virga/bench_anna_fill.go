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
	group, within := errgroup.WithContext(ctx)
	m.fillBy(within, group, client, fillers, keys, func(i int) sdk.Putting {
		return sdk.Putting{Name: annaKey(i), Kind: lattice.LWWKind, Op: lattice.SetOp(values.at(i))}
	})
	if err := group.Wait(); err != nil {
		return err
	}
	return m.whole(ctx, len(m.nodes))
}

// fillAtOwners is fill for any puts, each through the closest owner of its key.
func (m *benchMesh) fillAtOwners(ctx context.Context, keys int, put func(i int) sdk.Putting) error {
	owned := map[mesh.NodeID][]sdk.Putting{}
	for i := range keys {
		p := put(i)
		owner := m.owners(p.Name)[0]
		owned[owner] = append(owned[owner], p)
	}
	err := m.each(ctx, nil, func(clients map[int]*sdk.Client) error {
		group, within := errgroup.WithContext(ctx)
		for node, client := range clients {
			puts := owned[m.ids[node]]
			m.fillBy(within, group, client, fillers/len(clients), len(puts), func(i int) sdk.Putting { return puts[i] })
		}
		return group.Wait()
	})
	if err != nil {
		return err
	}
	return m.whole(ctx, len(m.nodes))
}

// fillBy makes so many puts, by so many callers of a group.
func (m *benchMesh) fillBy(ctx context.Context, group *errgroup.Group, client *sdk.Client, callers, keys int, put func(i int) sdk.Putting) {
	client = client.WithState(sdk.StateOptions{WriteQuorum: min(2, len(m.nodes), m.replicas), Durability: mesh.Memory})
	var next atomic.Int64
	for range callers {
		group.Go(func() error {
			for from := int(next.Add(fillBatch)) - fillBatch; from < keys; from = int(next.Add(fillBatch)) - fillBatch {
				var puts []sdk.Putting
				for i := from; i < min(from+fillBatch, keys); i++ {
					puts = append(puts, put(i))
				}
				if err := putAll(ctx, client, puts); err != nil {
					return err
				}
			}
			return nil
		})
	}
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
