package store

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/mesh"
)

func TestHintsAreCountedByNode(t *testing.T) {
	o := options(vfs.NewMem())
	s := open(t, o)
	hint(t, s, "b", "k", "1")
	hint(t, s, "b", "k", "2")
	hint(t, s, "b", "other", "3")
	hint(t, s, "c", "k", "5")
	for _, run := range []string{"counted", "after a restart"} {
		if counts := s.CountHints(); len(counts) != 2 || counts["b"] != 2 || counts["c"] != 1 || s.HintBytes() < 20 {
			t.Errorf("%s %v of %d bytes; want 2 of b and 1 of c", run, counts, s.HintBytes())
		}
		shut(t, s)
		s = open(t, o)
	}
	for node, names := range map[mesh.NodeID][]string{"b": {"k", "other"}, "c": {"k"}} {
		for _, name := range names {
			if hinted, err := s.Hinted(key(name)); !hinted || err != nil {
				t.Errorf("Hinted(%s) = %v, %v", name, hinted, err)
			}
			if err := s.DropHint(node, key(name), owed(t, s, node, 9)[key(name)]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if counts, hinted := s.CountHints(), s.HintBytes(); len(counts) != 0 || hinted != 0 {
		t.Errorf("after all was dropped: %v of %d bytes", counts, hinted)
	}
	if hinted, err := s.Hinted(key("k")); hinted || err != nil {
		t.Errorf("Hinted = %v, %v", hinted, err)
	}
}

func TestWhatANodeIsOwedIsBounded(t *testing.T) {
	o := options(vfs.NewMem())
	o.MaxHints, o.MaxHintBytes, o.MaxAllHintBytes = 3, 200, 300
	s := open(t, o)
	refused := func(node mesh.NodeID, name, element string) bool {
		t.Helper()
		err := s.AddHint(node, key(name), addDelta(element))
		if err != nil && !errors.Is(err, mesh.Overloaded) {
			t.Fatal(err)
		}
		return err != nil
	}
	for i := range 3 {
		if refused("b", fmt.Sprint("k", i), "x") {
			t.Fatal("refused within all bounds")
		}
	}
	if !refused("b", "k3", "x") || refused("b", "k1", "y") {
		t.Error("a fourth key was taken, or a known one refused")
	}
	if long := fmt.Sprintf("%0150d", 1); !refused("b", "k2", long) || refused("c", "k", long) {
		t.Error("more than 200 bytes were taken for one node, or less refused")
	}
	if !refused("d", "k", fmt.Sprintf("%0100d", 1)) {
		t.Error("more than 300 bytes were taken for all nodes")
	}
	if dropped, err := s.DropHints(t.Context(), func(node mesh.NodeID, _ mesh.Key) bool { return node == "c" }); dropped != 1 || err != nil {
		t.Errorf("DropHints = %d, %v", dropped, err)
	}
	if refused("d", "k", fmt.Sprintf("%0100d", 1)) {
		t.Error("refused though there is room again")
	}
	if nodes, err := s.HintedNodes(t.Context()); err != nil || fmt.Sprint([]mesh.NodeID(nodes)) != fmt.Sprint([]mesh.NodeID{"b", "d"}) {
		t.Errorf("owed are %v, %v", nodes, err)
	}
}
