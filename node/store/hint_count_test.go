package store

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestHintsAreCountedByNodeUpToALimit(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	hint(t, s, "b", "k", "1")
	hint(t, s, "b", "k", "2")
	hint(t, s, "b", "other", "3")
	hint(t, s, "c", "k", "5")
	counts, err := s.CountHints(t.Context(), 10)
	if err != nil || len(counts) != 2 || counts["b"] != 2 || counts["c"] != 1 {
		t.Errorf("counted %v, %v; want 2 of b and 1 of c", counts, err)
	}
	if counts, err := s.CountHints(t.Context(), 2); err != nil || counts["b"]+counts["c"] != 2 {
		t.Errorf("with a limit of 2: %v, %v", counts, err)
	}
}
