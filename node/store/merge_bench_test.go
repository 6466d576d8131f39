package store

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

var benchWriteBack = flag.Duration("write-back", 0, "Options.WriteBack of BenchmarkMergeMemory: an hour leaves the memory tier alone")

// BenchmarkMergeMemory merges registers of 1 KiB into a million keys of 8
// bytes, all of which fit the memory. The payload of each delta is new, as one
// from another node would be.
func BenchmarkMergeMemory(b *testing.B) {
	const keys = 1_000_000
	o := options(vfs.Default)
	o.Dir = b.TempDir()
	o.MemoryBytes, o.WriteBack = 4<<30, *benchWriteBack
	s := open(b, o)
	names := make([]mesh.Key, keys)
	for i := range names {
		names[i] = key(fmt.Sprintf("%08d", i))
		if _, err := s.Merge(b.Context(), names[i], register(s), mesh.Memory); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.settled(b.Context()); err != nil {
		b.Fatal(err)
	}
	for range 300 { // what the fill has left to be compacted
		if m := s.db.Metrics(); m.Compact.NumInProgress == 0 && m.Flush.NumInProgress == 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	for _, load := range []struct {
		name string
		pick func(seed uint64) func() uint64
	}{
		{"uniform", func(seed uint64) func() uint64 {
			rng := rand.New(rand.NewPCG(seed, 0))
			return func() uint64 { return rng.Uint64N(keys) }
		}},
		{"zipf-4", func(seed uint64) func() uint64 {
			return rand.NewZipf(rand.New(rand.NewPCG(seed, 0)), 4, 1, keys-1).Uint64
		}},
	} {
		for _, goroutines := range []int{2, 8, 32} {
			b.Run(fmt.Sprintf("%s/goroutines=%d", load.name, goroutines), func(b *testing.B) {
				b.ReportAllocs()
				before := processorTime(b)
				var wg sync.WaitGroup
				for g := range goroutines {
					wg.Go(func() {
						pick := load.pick(uint64(g))
						for range b.N/goroutines + 1 {
							if _, err := s.Merge(b.Context(), names[pick()], register(s), mesh.Memory); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "merges/s")
				b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// processorTime is what the process has used of the processors: what a merge
// costs also where others use them.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

var payload = make([]byte, 1024)

// register is a delta of a new payload.
func register(s *Store) lattice.Cell {
	delta, err := lattice.Cell{}.Apply(lattice.LWWKind, lattice.SetOp(append([]byte(nil), payload...)), lattice.Write{Stamp: s.clock.Now()})
	if err != nil {
		panic(err)
	}
	return delta
}
