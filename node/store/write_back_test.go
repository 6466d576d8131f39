package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// inMemoryOnly are the options of a store that writes nothing back by itself.
func inMemoryOnly(fs vfs.FS) Options {
	o := options(fs)
	o.WriteBack = 24 * time.Hour
	return o
}

func add(t testing.TB, s *Store, name, element string, d mesh.Durability) {
	t.Helper()
	if _, _, err := s.Apply(t.Context(), key(name), lattice.SetKind, lattice.AddOp(element), d); err != nil {
		t.Fatal(err)
	}
}

func settle(t testing.TB, s *Store) {
	t.Helper()
	if err := s.settled(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// killed opens what a process that is killed now leaves behind.
func killed(t testing.TB, fs *vfs.MemFS, o Options) *Store {
	t.Helper()
	o.FS = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	return open(t, o)
}

func TestAMemoryWriteIsWrittenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(options(vfs.NewMem()))
		if err != nil {
			t.Fatal(err)
		}
		defer shut(t, s)
		add(t, s, "k", "x", mesh.Memory)
		if s.writtenBack.Load() != 0 || s.pendingBytes() == 0 {
			t.Error("a memory write went to the disk at once")
		}
		time.Sleep(time.Second + time.Millisecond)
		synctest.Wait()
		if s.writtenBack.Load() != 1 || s.pendingBytes() != 0 {
			t.Errorf("after a second %d cells are written back, and %d bytes are pending", s.writtenBack.Load(), s.pendingBytes())
		}
	})
}

func TestManyMergesOfAKeyAreOneWrite(t *testing.T) {
	s := open(t, inMemoryOnly(vfs.NewMem()))
	elements := make([]string, 20_000)
	for i := range elements {
		elements[i] = fmt.Sprint("element-", i)
	}
	for _, c := range []struct {
		name  string
		bytes int64 // that the write-back may take
		write func(i int) error
	}{
		{"register", 1200, func(i int) error {
			_, _, err := s.Apply(t.Context(), key("register"), lattice.LWWKind, lattice.SetOp(make([]byte, 1000)), mesh.Memory)
			return err
		}},
		{"counter", 200, func(i int) error {
			_, _, err := s.Apply(t.Context(), key("counter"), lattice.GCounterKind, lattice.IncOp(1), mesh.Memory)
			return err
		}},
		{"large", 5000, func(i int) error { // and not the 20,000 that are there
			_, _, err := s.Apply(t.Context(), key("large"), lattice.SetKind, lattice.AddOp(fmt.Sprint("more-", i)), mesh.Memory)
			return err
		}},
	} {
		apply(t, s, "large", lattice.SetKind, lattice.AddOp(elements...))
		settle(t, s)
		cells, bytes := s.writtenBack.Load(), s.bound.since.Load()
		for i := range 200 {
			if err := c.write(i); err != nil {
				t.Fatal(err)
			}
		}
		settle(t, s)
		cells, bytes = s.writtenBack.Load()-cells, s.bound.since.Load()-bytes
		if cells != 1 || bytes > c.bytes {
			t.Errorf("%s: 200 merges became %d writes of %d bytes: expected 1 of at most %d", c.name, cells, bytes, c.bytes)
		}
	}
}

func TestWhatIsPendingGoesWithALoggedWrite(t *testing.T) {
	for name, write := range map[string]func(*Store) error{
		"write": func(s *Store) error {
			_, _, err := s.Apply(t.Context(), key("k"), lattice.SetKind, lattice.AddOp("logged"), mesh.Logged)
			return err
		},
		"write of nothing new": func(s *Store) error {
			_, err := s.Merge(t.Context(), key("k"), addDelta("pending"), mesh.Logged)
			return err
		},
		"await":        func(s *Store) error { return s.Await(t.Context(), mesh.Logged, key("k")) },
		"await synced": func(s *Store) error { return s.Await(t.Context(), mesh.Synced, key("k")) },
		"await all":    func(s *Store) error { return s.Await(t.Context(), mesh.Logged) },
		"await some":   func(s *Store) error { return s.Await(t.Context(), mesh.Logged, key("other"), key("k")) },
		"await later":  func(s *Store) error { return <-awaited(s, "other", "k") },
		"digest":       func(s *Store) error { _, err := s.Digest(t.Context(), key("k").Partition()); return err },
		"digests":      func(s *Store) error { _, err := s.Digests(t.Context()); return err },
	} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewCrashableMem()
			o := inMemoryOnly(fs)
			s := open(t, o)
			add(t, s, "k", "pending", mesh.Memory)
			if got := show(t, killed(t, fs, o), "k"); got != "" {
				t.Fatalf("a memory write is on the disk at once: %q", got)
			}
			if err := write(s); err != nil {
				t.Fatal(err)
			}
			if got := show(t, killed(t, fs, o), "k"); !strings.Contains(got, "pending") {
				t.Errorf("the disk has %q", got)
			}
		})
	}
}

func TestDeletesAndMarksOfCollectionsGoThrough(t *testing.T) {
	fs := vfs.NewCrashableMem()
	o := inMemoryOnly(fs)
	s := open(t, o)
	apply(t, s, "deleted", lattice.SetKind, lattice.AddOp("x"))
	if _, _, err := s.Delete(t.Context(), key("deleted"), mesh.Memory); err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		add(t, s, "divided", fmt.Sprint(i), mesh.Memory)
		cell, _, _ := s.Get(key("divided"))
		if v, _ := cell.Value(); v.Divided() {
			break
		}
	}
	apply(t, s, "later", lattice.SetKind, lattice.AddOp("x"))
	after := killed(t, fs, o)
	cell, _, err := after.Get(key("divided"))
	if v, _ := cell.Value(); err != nil || !v.Divided() {
		t.Errorf("a later write is logged, and the mark that a collection is divided is lost: %v", err)
	}
	if got := show(t, after, "deleted"); got != "deleted" {
		t.Errorf("a later write is logged, and a delete is lost: %q", got)
	}
}

// What is read from the engine has what is pending.
func TestReadersOfTheEngineSeeWhatIsPending(t *testing.T) {
	for name, sees := range map[string]func(*testing.T, *Store) bool{
		"List": func(t *testing.T, s *Store) bool {
			keys, _, err := s.List(t.Context(), "default", "k", "", 10)
			return err == nil && len(keys) == 1
		},
		"Scan": func(t *testing.T, s *Store) bool {
			found, _, err := s.Scan(t.Context(), "default", "", "", 10, 1<<20)
			return err == nil && len(found) == 1
		},
		"Digests": func(t *testing.T, s *Store) bool { return digests(t, s)[key("k").Partition()] != 0 },
		"Digest": func(t *testing.T, s *Store) bool {
			digest, err := s.Digest(t.Context(), key("k").Partition())
			return err == nil && digest != 0
		},
		"Entries": func(t *testing.T, s *Store) bool { return len(entries(t, s, key("k").Partition())) == 1 },
		"Held": func(t *testing.T, s *Store) bool {
			held, err := s.Held(t.Context())
			return err == nil && len(held) == 1
		},
		"Differing": func(t *testing.T, s *Store) bool {
			records, _, _, err := s.Differing(t.Context(), key("k").Partition(), nil, 0, 1<<20)
			return err == nil && len(records) == 1
		},
		"DropPartition": func(t *testing.T, s *Store) bool {
			dropped, err := s.DropPartition(t.Context(), key("k").Partition(), 0)
			return err == nil && !dropped
		},
		"Expired": func(t *testing.T, s *Store) bool {
			found, _, _, err := s.Expired(t.Context(), mesh.Expiring{}, time.Now().Add(2*time.Hour), 10)
			return err == nil && len(found) == 1
		},
		"Stats": func(_ *testing.T, s *Store) bool { return s.Stats().Keys == 1 },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, inMemoryOnly(vfs.NewMem()))
			_, _, err := s.Change(t.Context(), key("k"), mesh.Memory, func(have lattice.Cell, at lattice.Write) (lattice.Cell, error) {
				at.TTL = time.Hour
				return have.Apply(lattice.SetKind, lattice.AddOp("x"), at)
			})
			if err != nil {
				t.Fatal(err)
			}
			if !sees(t, s) {
				t.Error("does not see a key that is pending")
			}
			checkIndex(t, s)
		})
	}
}

func TestWritersWaitWhileMuchIsPending(t *testing.T) {
	o := inMemoryOnly(vfs.NewMem())
	o.MemoryBytes = 64 << 10
	s := open(t, o)
	for i := range s.disks { // the disk does not take anything
		s.disks[i].Lock()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var err error
	n := 0
	for ; err == nil && n < 1000; n++ {
		_, _, err = s.Apply(ctx, key(fmt.Sprint("k", n)), lattice.LWWKind, lattice.SetOp(make([]byte, 1000)), mesh.Memory)
	}
	if !errors.Is(err, mesh.DeadlineExceeded) || s.pendingBytes() > o.MemoryBytes {
		t.Errorf("after %d writes %d bytes are pending, and the next gave %v: expected it to wait until its deadline", n, s.pendingBytes(), err)
	}
	for i := range s.disks {
		s.disks[i].Unlock()
	}
	for i := range 200 {
		add(t, s, fmt.Sprint("more", i), strings.Repeat("x", 1000), mesh.Memory)
	}
	settle(t, s)
	if s.cells.Trim(); s.Stats().MemoryBytes > o.MemoryBytes || s.pendingBytes() != 0 {
		t.Errorf("%d bytes in memory, %d pending", s.Stats().MemoryBytes, s.pendingBytes())
	}
	for i := range n - 1 {
		if _, ok, err := s.Get(key(fmt.Sprint("k", i))); !ok || err != nil {
			t.Fatalf("k%d is lost: %v", i, err)
		}
	}
}

func TestAfterAFailureMemoryWritesAreRefused(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	add(t, s, "k", "x", mesh.Memory)
	s.fail.set("testing", errFull)
	if _, _, err := s.Apply(t.Context(), key("k"), lattice.SetKind, lattice.AddOp("y"), mesh.Memory); !errors.Is(err, errFull) {
		t.Errorf("Apply = %v, want the failure", err)
	}
}

func TestAMemoryWriteAllocatesNothing(t *testing.T) {
	s := open(t, inMemoryOnly(vfs.NewMem()))
	k := key("k")
	deltas := make([]lattice.Cell, 300)
	for i := range deltas {
		deltas[i], _ = lattice.Cell{}.Apply(lattice.LWWKind, lattice.SetOp([]byte("value")), s.now(k))
	}
	next := 0
	merge := func() {
		if _, err := s.Merge(t.Context(), k, deltas[next], mesh.Memory); err != nil {
			t.Error(err)
		}
		next++
	}
	merge()
	if n := testing.AllocsPerRun(200, merge); n != 0 {
		t.Errorf("a memory write allocates %v times", n)
	}
}
