package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// awaited is what AwaitLater tells of some keys.
func awaited(s *Store, names ...string) <-chan error {
	keys := make([]mesh.Key, len(names))
	for i, name := range names {
		keys[i] = key(name)
	}
	told := make(chan error, 1)
	s.AwaitLater(keys, func(err error) { told <- err })
	return told
}

func TestThoseWhoAwaitLaterAreTold(t *testing.T) {
	fs := vfs.NewCrashableMem()
	o := inMemoryOnly(fs)
	s := open(t, o)
	s.disks[s.cells.ShardOf(key("first"))].Lock() // the first commit waits, while the others come
	add(t, s, "first", "x", mesh.Memory)
	first := awaited(s, "first")
	const keys = 2 * batchCells
	var told []<-chan error
	for i := range keys {
		name := fmt.Sprint("k", i)
		add(t, s, name, "x", mesh.Memory)
		told = append(told, awaited(s, name))
	}
	s.disks[s.cells.ShardOf(key("first"))].Unlock()
	for _, each := range append(told, first) {
		if err := <-each; err != nil {
			t.Fatal(err)
		}
	}
	left := killed(t, fs, o)
	for i := range keys {
		if got := show(t, left, fmt.Sprint("k", i)); !strings.Contains(got, "x") {
			t.Fatalf("k%d is acknowledged, and lost: %q", i, got)
		}
	}
}

func TestAwaitLaterTellsThatTheLogFailed(t *testing.T) {
	fault := failOn(errorfs.OpFileWrite, "log")
	s := open(t, inMemoryOnly(errorfs.Wrap(vfs.NewMem(), fault)))
	add(t, s, "k", "x", mesh.Memory)
	fault.armed.On()
	if err := <-awaited(s, "k"); !errors.Is(err, mesh.Unavailable) || !errors.Is(err, errFull) {
		t.Errorf("AwaitLater = %v, want Unavailable because of the disk", err)
	}
}

// BenchmarkLogged is what a logged write costs a store, by how many wait for
// the log together: as callers of their own, and with AwaitLater.
func BenchmarkLogged(b *testing.B) {
	for _, together := range []int{1, 32} {
		op := lattice.SetOp(make([]byte, 100))
		b.Run(fmt.Sprintf("alone/callers=%d", together), func(b *testing.B) {
			s, keys := benchmarkStore(b, 10000)
			b.SetParallelism((together + 1) / 2)
			before := processorTime(b)
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					k := keys[(i*7919)%len(keys)]
					if _, _, err := s.Apply(b.Context(), k, lattice.LWWKind, op, mesh.Logged); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
		b.Run(fmt.Sprintf("later/together=%d", together), func(b *testing.B) {
			s, keys := benchmarkStore(b, 10000)
			before := processorTime(b)
			told := make(chan error)
			for i := 0; i < b.N; i += together {
				some := make([]mesh.Key, together)
				for j := range some {
					some[j] = keys[((i+j)*7919)%len(keys)]
					if _, _, err := s.Apply(b.Context(), some[j], lattice.LWWKind, op, mesh.Memory); err != nil {
						b.Fatal(err)
					}
				}
				s.AwaitLater(some, func(err error) { told <- err })
				if err := <-told; err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}
