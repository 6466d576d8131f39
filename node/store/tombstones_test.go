package store

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

func tombstones(t *testing.T, s *Store) map[mesh.Key]mesh.Tombstone {
	t.Helper()
	all := make(map[mesh.Key]mesh.Tombstone)
	for from, done := uint64(0), false; !done; {
		some, next, end, err := s.Tombstones(t.Context(), from, 3)
		if err != nil || !end && (len(some) < 3 || next <= from) {
			t.Fatalf("Tombstones from %x = %d, %x, %v, %v", from, len(some), next, end, err)
		}
		for _, dead := range some {
			all[dead.Key] = dead
		}
		from, done = next, end
	}
	return all
}

func TestTombstonesAreFoundUntilCollectedOrRevived(t *testing.T) {
	o := options(vfs.NewMem())
	s := open(t, o)
	for i := range 20 {
		name := fmt.Sprint("k", i)
		apply(t, s, name, lattice.SetKind, lattice.AddOp("x"))
		if i%2 == 0 {
			if _, _, err := s.Delete(t.Context(), key(name), mesh.Logged); err != nil {
				t.Fatal(err)
			}
		}
	}
	apply(t, s, "k4", lattice.LWWKind, lattice.SetOp([]byte("again")))
	shut(t, s)
	s = open(t, o)
	dead := tombstones(t, s)
	if _, revived := dead[key("k4")]; len(dead) != 9 || revived {
		t.Fatalf("%d tombstones, k4 among them: %v; want 9 without it", len(dead), revived)
	}
	collect := func(name string, digest uint64) bool {
		t.Helper()
		ok, err := s.Collect(t.Context(), key(name), digest)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if collect("k2", dead[key("k2")].Digest+1) || collect("k3", 0) || collect("never", 0) {
		t.Error("what is not the tombstone asked for was collected")
	}
	if !collect("k2", dead[key("k2")].Digest) {
		t.Error("k2 was not collected")
	}
	apply(t, s, "k6", lattice.SetKind, lattice.AddOp("y"))
	if collect("k6", dead[key("k6")].Digest) {
		t.Error("k6 was collected, though it was written since")
	}
	for name, want := range map[string]string{"k2": "", "k6": "y", "k8": "deleted", "k4": "again"} {
		if got := show(t, s, name); got != want {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
	if left := tombstones(t, s); len(left) != 7 {
		t.Errorf("%d tombstones are left, want 7", len(left))
	}
	checkIndex(t, s)
}

func TestTheDigestOfATombstoneIsThatOfItsEntry(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	if _, _, err := s.Delete(t.Context(), key("k"), mesh.Logged); err != nil {
		t.Fatal(err)
	}
	of := entries(t, s, key("k").Partition())
	if dead := tombstones(t, s)[key("k")]; len(of) != 1 || dead.Digest != of[0].Digest || dead.Since.IsZero() {
		t.Errorf("tombstone %+v, entries %+v", dead, of)
	}
}
