package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// Ten times as much is stored as fits the memory. What is read most often
// stays there, also while all is read once, and written here and there.
func TestTheHotPartOfALargeSetStaysInMemory(t *testing.T) {
	const keys, size, reads = 5000, 1000, 60_000
	o := options(vfs.NewMem())
	o.MemoryBytes = keys * size / 10
	s := open(t, o)
	name := func(i uint64) mesh.Key { return key(fmt.Sprintf("%06d", i)) }
	put := func(i uint64) {
		t.Helper()
		if _, _, err := s.Apply(t.Context(), name(i), lattice.LWWKind, lattice.SetOp(make([]byte, size)), mesh.Memory); err != nil {
			t.Fatal(err)
		}
	}
	for i := range uint64(keys) {
		put(i)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	hot := rand.NewZipf(rng, 1.2, 1, keys-1)
	hits, scanned := 0, uint64(0)
	for n := range reads {
		k := name(hot.Uint64())
		_, inMemory := s.cells.Peek(k)
		if _, ok, err := s.Get(k); !ok || err != nil {
			t.Fatalf("%v: %v, %v", k, ok, err)
		}
		if n >= reads/2 && inMemory {
			hits++
		}
		if n%4 == 0 { // the scan
			if _, ok, err := s.Get(name(scanned % keys)); !ok || err != nil {
				t.Fatal(ok, err)
			}
			scanned++
		}
		if n%20 == 0 {
			put(rng.Uint64N(keys))
		}
	}
	// The most popular 400 of 5000 keys, which fit, have 0.79 of these reads.
	if rate := float64(hits) / (reads / 2); rate < 0.65 {
		t.Errorf("%.2f of the reads found their key in memory: expected 0.65 at least", rate)
	} else {
		t.Logf("%.2f of the reads found their key in memory", rate)
	}
	if err := s.settled(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.cells.Trim(); s.Stats().MemoryBytes > o.MemoryBytes {
		t.Errorf("%d bytes in memory: expected at most %d", s.Stats().MemoryBytes, o.MemoryBytes)
	}
}

// At the bound of the disk what is new is refused, and nothing that was
// acknowledged is lost; what other nodes have taken is merged for a while, and
// deletes always are.
func TestAtTheBoundOfTheDisk(t *testing.T) {
	fs := vfs.NewCrashableMem()
	o := options(fs)
	o.DiskBytes = 4 << 20
	s := open(t, o)
	rng := rand.New(rand.NewPCG(1, 1))
	value := func() []byte { // that cannot be compressed
		b := make([]byte, 16<<10)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	var acked []string
	until := func(prefix string, write func(name string) error) error {
		for i := range 10_000 {
			name := fmt.Sprint(prefix, i)
			if err := write(name); err != nil {
				return err
			}
			acked = append(acked, name)
		}
		return nil
	}
	apply := func(name string) error {
		_, _, err := s.Apply(t.Context(), key(name), lattice.LWWKind, lattice.SetOp(value()), mesh.Logged)
		return err
	}
	if err := until("new", apply); !errors.Is(err, mesh.Overloaded) {
		t.Fatalf("after %d writes: %v, want Overloaded", len(acked), err)
	}
	before := len(acked)
	err := until("merged", func(name string) error {
		delta, _ := lattice.Cell{}.Apply(lattice.LWWKind, lattice.SetOp(value()), s.now(key(name)))
		_, err := s.Merge(t.Context(), key(name), delta, mesh.Logged)
		return err
	})
	if !errors.Is(err, mesh.Overloaded) || len(acked) < before+10 {
		t.Fatalf("after %d merges: %v, want Overloaded after some", len(acked)-before, err)
	}
	for err = nil; err == nil; { // until what the engine tidied up is full, too
		err = apply("new0")
	}
	if !errors.Is(err, mesh.Overloaded) {
		t.Errorf("a write that replaces another = %v, want Overloaded", err)
	}
	if failed := s.Failed(); failed != nil {
		t.Fatal(failed)
	}
	after := killed(t, fs, o)
	for _, name := range acked {
		if got := show(t, after, name); len(got) != 16<<10 {
			t.Fatalf("%s was acknowledged and has %d bytes", name, len(got))
		}
	}
	for _, name := range acked {
		if _, _, err := s.Delete(t.Context(), key(name), mesh.Logged); err != nil {
			t.Fatalf("a delete = %v", err)
		}
	}
	if err := s.db.Compact(t.Context(), []byte{0}, []byte{0xff}, false); err != nil {
		t.Fatal(err)
	}
	if s.look(); s.bound.bytes() >= o.DiskBytes {
		t.Fatalf("after all was deleted %d bytes are on the disk", s.bound.bytes())
	}
	if err := apply("again"); err != nil {
		t.Errorf("a write after deletes made room = %v", err)
	}
}
