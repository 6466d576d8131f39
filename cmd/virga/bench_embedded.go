package main

import (
	"context"
	"errors"
	"fmt"
	"time"

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

// embeddedReads measures within one invocation.
func (b *benchRun) embeddedReads(ctx context.Context, pair *benchPair) error {
	cases := []string{readOwned, readCached, getCached}
	ctx, cancel := context.WithTimeout(ctx, benchStartTimeout+time.Duration(len(cases))*b.caseTimeout())
	defer cancel()
	return pair.inside(ctx, func(inside context.Context) error {
		if err := pair.join(ctx); err != nil {
			return err
		}
		owned, cached, err := pair.keys(ctx)
		if err != nil {
			return err
		}
		for _, name := range cases {
			key := cached
			if name == readOwned {
				key = owned
			}
			op := func() error { _, err := fn.Read(inside, key); return err }
			if name == getCached {
				op = func() error { _, err := fn.Get[[]byte](inside, key); return err }
			}
			if err := b.measureTight(ctx, name, op); err != nil {
				return err
			}
		}
		return nil
	})
}

// measureTight is measure for what takes about a microsecond.
func (b *benchRun) measureTight(ctx context.Context, name string, op func() error) error {
	if !b.wants(name) {
		return nil
	}
	sample, err := b.sample(ctx, name, func(ctx context.Context) (bench.Sample, error) { return b.load(1).RunTight(ctx, op) })
	if err != nil {
		return err
	}
	return b.report.Add(name, sample).Write(b.out)
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
