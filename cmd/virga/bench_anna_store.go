package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/virga-mesh/virga/internal/bench"
	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/hlc"
	"github.com/virga-mesh/virga/node/store"
)

// The load on a store alone: the Zipf exponents of the keys, of which 0 is
// uniform, and how many callers there are.
var (
	storeExponents = []float64{0, 4}
	storeThreads   = []int{2, 8, 32}
)

func storeCase(s float64) string { return "store: merge, " + zipfName(s) }

const (
	storeValue = 1 << 10 // bytes
	// drawn is how many keys are drawn beforehand; then they come again.
	drawn = 1 << 20
	// storeBatch is how many merges are timed together.
	storeBatch = 16
)

// annaStore measures merges into a store in this process, whose memory holds all.
func (b *benchRun) annaStore(ctx context.Context) error {
	if !b.wantsAny(storeCase(0), storeCase(4)) {
		return nil
	}
	return withStore(func(s *store.Store) error {
		keys := make([]mesh.Key, b.storeKeys)
		for i := range keys {
			keys[i] = storeKey(i)
		}
		values := newAnnaValues(storeValue)
		if err := fillStore(ctx, s, b.storeKeys, values); err != nil {
			return err
		}
		for _, exponent := range storeExponents {
			if !b.wants(storeCase(exponent)) {
				continue
			}
			draws := bench.Draws(drawn, len(keys), exponent, 1)
			for _, callers := range storeThreads {
				if err := b.annaMerges(ctx, s, storeCase(exponent), callers, keys, draws, values); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// annaMerges measures one number of callers, each of which begins elsewhere among the draws.
func (b *benchRun) annaMerges(ctx context.Context, s *store.Store, name string, callers int, keys []mesh.Key, draws []uint32, values annaValues) error {
	load := b.load(callers)
	load.Batch = storeBatch
	at := make([]struct {
		next int
		_    [56]byte // a line of the processor's cache for each caller
	}, callers)
	for i := range at {
		at[i].next = i * len(draws) / callers
	}
	sample, err := b.sample(ctx, name, func(ctx context.Context) (bench.Sample, error) {
		return load.Run(ctx, func(ctx context.Context, caller int) error {
			i := at[caller].next
			at[caller].next = (i + 1) % len(draws)
			_, _, err := s.Apply(ctx, keys[draws[i]], lattice.LWWKind, lattice.SetOp(values.at(i)), mesh.Memory)
			return err
		})
	})
	if err != nil {
		return err
	}
	return b.note(name, sample)
}

const memoryCase = "store: fill, 8 B values"

// annaMemory measures what a key of 8 bytes with a value of 8 bytes takes of memory.
func (b *benchRun) annaMemory(ctx context.Context) error {
	if !b.wants(memoryCase) {
		return nil
	}
	return withStore(func(s *store.Store) error {
		before := heap()
		start := time.Now()
		if err := fillStore(ctx, s, b.storeKeys, newAnnaValues(8)); err != nil {
			return err
		}
		filled := time.Since(start)
		n := float64(b.storeKeys)
		b.heapPerKey = (float64(heap()) - float64(before)) / n
		b.ownPerKey = float64(s.Stats().MemoryBytes) / n
		return b.note(memoryCase, bench.SampleOf(filled))
	})
}

// heap is what the process holds of the heap, without garbage.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // what pools kept over the first
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return memory.HeapAlloc
}

func storeKey(i int) mesh.Key { return mesh.Key{Namespace: mesh.DefaultNamespace, Name: annaKey(i)} }

// fillStore writes each key once.
func fillStore(ctx context.Context, s *store.Store, keys int, values annaValues) error {
	const writers = 8
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range writers {
		group.Go(func() error {
			for i := int(next.Add(1)) - 1; i < keys; i = int(next.Add(1)) - 1 {
				if _, _, err := s.Apply(ctx, storeKey(i), lattice.LWWKind, lattice.SetOp(values.at(i)), mesh.Memory); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// storeMemory bounds the memory tier of the store alone: it holds everything.
const storeMemory = 64 << 30

// withStore lends a store on the disk, and gives its memory back after that.
func withStore(use func(*store.Store) error) (err error) {
	dir, err := os.MkdirTemp("", "virga-bench-")
	if err != nil {
		return mesh.Errorf(mesh.Internal, "bench", "%w", err)
	}
	defer func() {
		err = errors.Join(err, os.RemoveAll(dir))
		debug.FreeOSMemory()
	}()
	const node = mesh.NodeID("bench")
	s, err := store.Open(store.Options{
		Dir: dir, Node: node, Clock: hlc.New(node, time.Now, 0), MemoryBytes: storeMemory, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return use(s)
}
