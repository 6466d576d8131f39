package store

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// longAgo is the mark of a delete before every birth of a test.
func longAgo() lattice.Cell {
	at := time.Now().Add(-24 * time.Hour)
	return lattice.NewCell(lattice.Stamp{Time: uint64(at.UnixMilli()) << 16, Node: "n"}, lattice.Value{})
}

func TestWhatBeginsAnewOutlivesAMarkThatOthersHaveForgotten(t *testing.T) {
	o := options(vfs.NewMem())
	o.BirthAge = time.Hour
	s := open(t, o)
	delta := apply(t, s, "k", lattice.SetKind, lattice.AddOp("new"))
	if !delta.Born() {
		t.Fatalf("the cell began %v: want an hour ago", delta.Began())
	}
	merge := func(cell lattice.Cell) mesh.Merged {
		t.Helper()
		merged, err := s.Merge(t.Context(), key("k"), cell, mesh.Logged)
		if err != nil {
			t.Fatal(err)
		}
		return merged
	}
	if merged := merge(longAgo()); merged.Grew || show(t, s, "k") != "new" {
		t.Errorf("an old mark made it %q", show(t, s, "k"))
	}
	young := lattice.NewCell(lattice.Stamp{Time: uint64(time.Now().UnixMilli()) << 16, Node: "n"}, lattice.Value{})
	if merge(young); show(t, s, "k") != "deleted" {
		t.Errorf("a young mark left %q", show(t, s, "k"))
	}
	if merged := merge(delta); !merged.Dominated {
		t.Error("what a delete ended came back")
	}
}

// The engine merges deltas of a record in whatever groups it likes: a delete
// between an old value and a birth must go on killing the value.
func TestABirthOverAMarkDoesNotBringBackWhatTheMarkKilled(t *testing.T) {
	o := options(vfs.NewMem())
	s := open(t, o)
	old := addDelta("old")
	for _, cell := range []lattice.Cell{old, longAgo()} {
		if _, err := s.Merge(t.Context(), key("k"), cell, mesh.Logged); err != nil {
			t.Fatal(err)
		}
	}
	other := open(t, func() Options { o := options(vfs.NewMem()); o.BirthAge = time.Hour; return o }())
	born := apply(t, other, "k", lattice.SetKind, lattice.AddOp("new"))
	if _, err := s.Merge(t.Context(), key("k"), born, mesh.Logged); err != nil {
		t.Fatal(err)
	}
	shut(t, s)
	s = open(t, o)
	if got := show(t, s, "k"); got != "new" {
		t.Errorf("holds %q, want new", got)
	}
	if dead := tombstones(t, s); len(dead) != 0 {
		t.Errorf("it counts as deleted: %v", dead)
	}
	checkIndex(t, s)
}

func TestFloorsOnlyRiseAndAreKept(t *testing.T) {
	o := options(vfs.NewMem())
	s := open(t, o)
	for _, to := range []uint64{5, 9, 7} {
		if err := s.RaiseFloor(3, to); err != nil {
			t.Fatal(err)
		}
	}
	shut(t, s)
	s = open(t, o)
	if s.Floor(3) != 9 || s.Floor(4) != 0 {
		t.Errorf("floors %d and %d, want 9 and 0", s.Floor(3), s.Floor(4))
	}
}

func TestOnlyTheCellThatWasSeenIsRemoved(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	apply(t, s, "k", lattice.SetKind, lattice.AddOp("x"))
	cell, _, err := s.Get(key("k"))
	if err != nil {
		t.Fatal(err)
	}
	cell = cell.Clone()
	apply(t, s, "k", lattice.SetKind, lattice.AddOp("y"))
	if removed, err := s.Remove(t.Context(), key("k"), cell); removed || err != nil {
		t.Errorf("Remove of what has changed = %v, %v", removed, err)
	}
	cell, _, _ = s.Get(key("k"))
	if removed, err := s.Remove(t.Context(), key("k"), cell); !removed || err != nil || show(t, s, "k") != "" {
		t.Errorf("Remove = %v, %v and left %q", removed, err, show(t, s, "k"))
	}
	checkIndex(t, s)
}
