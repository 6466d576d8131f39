package main

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/internal/bench"
	"github.com/virga-mesh/virga/internal/localmesh"
	"github.com/virga-mesh/virga/internal/wasmbuild"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// Instances of guests that follow load, and that begin.
const (
	scalingCase    = "scaling: 1 to 100 instances"
	coldCase       = "guest: first call ever"
	cachedColdCase = "guest: first call, compiled"

	guestNap     = "nap"
	napTime      = 50 * time.Millisecond
	napCallers   = 100
	napSlack     = napTime / 2      // by which a call on a warm instance may be longer
	scalingLimit = 30 * time.Second // until all callers must have had such a call
)

// scaling steps from one caller of a guest that waits to a hundred, and
// measures how long it takes until each has had a call that did not wait for
// an instance (Cloudburst's benchmark of scaling).
func (b *benchRun) scaling(ctx context.Context) error {
	if !b.wants(scalingCase) {
		return nil
	}
	module, err := b.example(ctx, guestNap)
	if err != nil {
		return err
	}
	if _, err := b.mesh.client.Deploy(ctx, guestNap, module, sdk.DeployOptions{}); err != nil {
		return err
	}
	nap := sdk.Func[int, int](b.mesh.client, guestNap)
	one := bench.Load{Callers: 1, Measure: time.Second}
	if _, err := one.Run(ctx, func(ctx context.Context, _ int) error {
		_, err := nap.Call(ctx, int(napTime/time.Millisecond))
		return err
	}); err != nil {
		return err
	}
	sample, err := b.sample(ctx, scalingCase, func(ctx context.Context) (bench.Sample, error) { return stepLoad(ctx, nap) })
	if err != nil {
		return err
	}
	return b.note(scalingCase, sample)
}

// stepLoad gives how long it took until all callers had a warm call, up to
// scalingLimit; they call on until then, and count the calls that fail.
func stepLoad(outer context.Context, nap *sdk.Function[int, int]) (bench.Sample, error) {
	ctx, cancel := context.WithTimeout(outer, scalingLimit)
	defer cancel()
	var warm, failed atomic.Int64
	all := make(chan struct{})
	start := time.Now()
	var took time.Duration
	var callers sync.WaitGroup
	for range napCallers {
		callers.Go(func() {
			for had := false; ; {
				began := time.Now()
				_, err := nap.Call(ctx, int(napTime/time.Millisecond))
				select {
				case <-all:
					return
				case <-ctx.Done():
					return
				default:
				}
				if err != nil {
					failed.Add(1)
				} else if !had && time.Since(began) <= napTime+napSlack {
					had = true
					if warm.Add(1) == napCallers {
						took = time.Since(start)
						close(all)
					}
				}
			}
		})
	}
	callers.Wait()
	if warm.Load() < napCallers {
		took = scalingLimit // at least
	}
	sample := bench.SampleOf(took)
	sample.Failures = failed.Load()
	return sample, outer.Err()
}

// coldStart measures the first call of a guest on a node that never saw it,
// and on one that has compiled it in an earlier life.
func (b *benchRun) coldStart(ctx context.Context) error {
	if !b.wantsAny(coldCase, cachedColdCase) {
		return nil
	}
	module, err := b.example(ctx, wasmSquare)
	if err != nil {
		return err
	}
	return b.withMesh(ctx, 1, func(m *benchMesh) error {
		if _, err := m.client.Deploy(ctx, wasmSquare, module, sdk.DeployOptions{}); err != nil {
			return err
		}
		joined, err := m.firstCall(ctx, func(ctx context.Context) error { return m.up(ctx, 2) })
		if err != nil {
			return err
		}
		if err := b.note(coldCase, bench.SampleOf(joined)); err != nil {
			return err
		}
		returned, err := m.firstCall(ctx, func(ctx context.Context) error {
			ending, cancel := context.WithTimeout(ctx, localmesh.StopTimeout)
			defer cancel()
			if err := m.nodes[1].Stop(ending); err != nil {
				return err
			}
			return m.up(ctx, 2)
		})
		if err != nil {
			return err
		}
		return b.note(cachedColdCase, bench.SampleOf(returned))
	})
}

// firstCall begins the second node, and gives how long its first call of a guest takes.
func (m *benchMesh) firstCall(ctx context.Context, begin func(context.Context) error) (took time.Duration, err error) {
	if err := begin(ctx); err != nil {
		return 0, err
	}
	if _, err := m.inspect(ctx); err != nil {
		return 0, err
	}
	client, err := m.dial(ctx, 1)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	square := sdk.Func[int, int](client, wasmSquare)
	square.Options = placedAt(wasmSquare, m.ids[1])
	start := time.Now()
	_, err = square.Call(ctx, 3)
	return time.Since(start), err
}

// example builds one of the examples, once in a run.
func (b *benchRun) example(ctx context.Context, name string) ([]byte, error) {
	if module, built := b.modules[name]; built {
		return module, nil
	}
	clone, err := findClone(ctx)
	if err != nil {
		return nil, mesh.Errorf(mesh.KindOf(err), "bench", "%s", mesh.AsError("", err).Text())
	}
	module, err := wasmbuild.Build(ctx, filepath.Join(clone, "examples", name))
	if err != nil {
		return nil, err
	}
	if b.modules == nil {
		b.modules = map[string][]byte{}
	}
	b.modules[name] = module
	return module, nil
}
