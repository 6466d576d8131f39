package store

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// benchmarkStore is a store on the disk with keys of 8 bytes and values of 1 KiB.
func benchmarkStore(b *testing.B, keys int) (*Store, []mesh.Key) {
	o := options(vfs.Default)
	o.Dir = b.TempDir()
	o.MemoryBytes = 256 << 20
	s := open(b, o)
	names := make([]mesh.Key, keys)
	value := make([]byte, 1024)
	for i := range names {
		names[i] = key(fmt.Sprintf("%08d", i))
		if _, _, err := s.Apply(b.Context(), names[i], lattice.LWWKind, lattice.SetOp(value), mesh.Memory); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.settled(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	return s, names
}

func BenchmarkApply(b *testing.B) {
	op := lattice.SetOp(make([]byte, 1024))
	for _, d := range []mesh.Durability{mesh.Memory, mesh.Logged, mesh.Synced} {
		b.Run(d.String(), func(b *testing.B) {
			s, keys := benchmarkStore(b, 10000)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					k := keys[rand.IntN(len(keys))]
					if _, _, err := s.Apply(b.Context(), k, lattice.LWWKind, op, d); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

func BenchmarkMergeOneCaller(b *testing.B) {
	s, keys := benchmarkStore(b, 10000)
	stamp := s.clock.Now()
	payload := make([]byte, 1024)
	for b.Loop() {
		stamp.Time++
		delta, err := lattice.Cell{}.Apply(lattice.LWWKind, lattice.SetOp(payload), lattice.Write{Stamp: stamp})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Merge(b.Context(), keys[stamp.Time%uint64(len(keys))], delta, mesh.Logged); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	for _, c := range []struct {
		name string
		keys int
	}{{"memory", 10000}, {"disk", 10000}} {
		b.Run(c.name, func(b *testing.B) {
			s, keys := benchmarkStore(b, c.keys)
			for b.Loop() {
				k := keys[rand.IntN(len(keys))]
				if c.name == "disk" {
					b.StopTimer()
					s.cells.RemoveIf(func(held mesh.Key, _ inMemory) bool { return held == k })
					b.StartTimer()
				}
				if _, ok, err := s.Get(k); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

// One element added to a set must cost the element, not the set.
func BenchmarkAddToSet(b *testing.B) {
	for _, size := range []int{10, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s, _ := benchmarkStore(b, 0)
			elements := make([]string, size)
			for i := range elements {
				elements[i] = fmt.Sprint(i)
			}
			apply(b, s, "set", lattice.SetKind, lattice.AddOp(elements...))
			b.ResetTimer()
			i := 0
			for b.Loop() {
				i++
				apply(b, s, "set", lattice.SetKind, lattice.AddOp(fmt.Sprint("more", i)))
			}
		})
	}
}
