package store

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

func hint(t *testing.T, s *Store, node mesh.NodeID, name string, elements ...string) {
	t.Helper()
	if err := s.AddHint(node, key(name), addDelta(elements...)); err != nil {
		t.Fatal(err)
	}
}

func owed(t *testing.T, s *Store, node mesh.NodeID, limit int) map[mesh.Key]lattice.Cell {
	t.Helper()
	hints, err := s.Hints(t.Context(), node, limit)
	if err != nil {
		t.Fatal(err)
	}
	return hints
}

func TestHintsMergeAndSurvive(t *testing.T) {
	o := options(vfs.NewMem())
	s := open(t, o)
	hint(t, s, "b", "k", "1")
	hint(t, s, "b", "k", "2")
	hint(t, s, "b", "other", "3")
	hint(t, s, "bb", "k", "4")
	hint(t, s, "c", "k", "5")
	shut(t, s)
	s = open(t, o)
	nodes, err := s.HintedNodes(t.Context())
	if got := fmt.Sprintf("%q", []mesh.NodeID(nodes)); err != nil || len(nodes) != 3 {
		t.Errorf("HintedNodes = %s, %v; want b, c and bb", got, err)
	}
	hints := owed(t, s, "b", 10)
	if len(hints) != 2 || hints[key("k")].Compare(addDelta("1", "2")) != lattice.Equal {
		t.Errorf("b is owed %v", hints)
	}
	if got := owed(t, s, "b", 1); len(got) != 1 {
		t.Errorf("with a limit of 1: %v", got)
	}
	if got := owed(t, s, "nobody", 10); len(got) != 0 {
		t.Errorf("nobody is owed %v", got)
	}
	if keys, _, _ := s.List(t.Context(), "default", "", "", 10); len(keys) != 0 {
		t.Errorf("hints are listed as keys: %v", keys)
	}
}

func TestOnlyWhatWasAcknowledgedIsDropped(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	hint(t, s, "b", "k", "1")
	sent := owed(t, s, "b", 10)[key("k")]
	hint(t, s, "b", "k", "2")
	if err := s.DropHint("b", key("k"), sent); err != nil {
		t.Fatal(err)
	}
	if got := owed(t, s, "b", 10); len(got) != 1 {
		t.Fatalf("what was added while the hint was sent is forgotten: %v", got)
	}
	for range 2 { // twice is no error
		if err := s.DropHint("b", key("k"), addDelta("1", "2")); err != nil {
			t.Fatal(err)
		}
	}
	if got := owed(t, s, "b", 10); len(got) != 0 {
		t.Errorf("still owed: %v", got)
	}
	hint(t, s, "b", "k", "3")
	if got := owed(t, s, "b", 10)[key("k")]; got.Compare(addDelta("3")) != lattice.Equal {
		t.Errorf("a dropped hint came back: %v", got)
	}
}
