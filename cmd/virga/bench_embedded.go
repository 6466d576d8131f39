package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/virga-mesh/virga/internal/bench"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// The cases within the process of a node.
const (
	embeddedNative = "embedded: call native"
	embeddedWasm   = "embedded: call wasm"
	readOwned      = "embedded: read an owned key"
	readCached     = "embedded: read a cached key"
	getCached      = "embedded: get a cached key"
)

// embedded measures what needs no network: calls through the API of a node
// in this process, and a running function's reads of state that is there.
func (b *benchRun) embedded(ctx context.Context) (err error) {
	pair, err := startBenchPair(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pair.stop()) }()
	if b.wants(embeddedWasm) {
		if err := b.deploySquare(ctx, pair.client); err != nil {
			return err
		}
	}
	for _, c := range []struct{ name, function string }{{embeddedNative, nativeSquare}, {embeddedWasm, wasmSquare}} {
		square := sdk.Func[int, int](pair.client, c.function)
		err := b.measure(ctx, c.name, 1, func(ctx context.Context, _ int) error {
			_, err := square.Call(ctx, 3)
			return err
		})
		if err != nil {
			return err
		}
	}
	return b.embeddedReads(ctx, pair)
}

// embeddedReads measures inside one invocation each.
func (b *benchRun) embeddedReads(ctx context.Context, pair *benchPair) error {
	owned, cached, err := pair.keys(ctx)
	if err != nil {
		return err
	}
	read := func(key string) func(context.Context) error {
		return func(ctx context.Context) error { _, err := fn.Read(ctx, key); return err }
	}
	for _, c := range []struct {
		name string
		op   func(context.Context) error
	}{
		{readOwned, read(owned)},
		{readCached, read(cached)},
		{getCached, func(ctx context.Context) error { _, err := fn.Get[[]byte](ctx, cached); return err }},
	} {
		if !b.wants(c.name) {
			continue
		}
		sample, err := b.sample(ctx, c.name, func(ctx context.Context) (sample bench.Sample, err error) {
			err = pair.inside(ctx, func(ctx context.Context) error {
				sample, err = b.load(1).RunTight(ctx, func() error { return c.op(ctx) })
				return err
			})
			return sample, err
		})
		if err != nil {
			return err
		}
		if err := b.report.Add(c.name, sample).Write(b.out); err != nil {
			return err
		}
	}
	return nil
}

// keys writes registers of 100 bytes until the first node owns one of them,
// and holds another one as a copy of what the second node owns.
func (p *benchPair) keys(ctx context.Context) (owned, cached string, err error) {
	const enough = 100 // tries; each finds either kind with a probability of a half
	for i := 0; i < enough && (owned == "" || cached == ""); i++ {
		key := fmt.Sprintf("bench/%d", i)
		if err := sdk.Register[[]byte](p.client, key).Put(ctx, make([]byte, bench.EchoSize)); err != nil {
			return "", "", err
		}
		before, err := p.client.Status(ctx)
		if err != nil {
			return "", "", err
		}
		if _, err := p.client.Get(ctx, key); err != nil {
			return "", "", err
		}
		after, err := p.client.Status(ctx)
		if err != nil {
			return "", "", err
		}
		if after.CachedKeys > before.CachedKeys {
			cached = key
		} else {
			owned = key
		}
	}
	if owned == "" || cached == "" {
		return "", "", mesh.Errorf(mesh.Internal, "bench", "of %d keys all have one owner: expected two", enough)
	}
	return owned, cached, nil
}
