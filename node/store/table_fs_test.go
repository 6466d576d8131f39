package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// largeValue does not compress.
func largeValue(seed byte, size int) []byte {
	value := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(value)
	return value
}

func TestLargeBlocksAreReadAsTheyWereWritten(t *testing.T) {
	o := options(vfs.NewMem())
	s := open(t, o)
	sizes := []int{1, largeBlock - 200, largeBlock, 3 * largeBlock, 1 << 20}
	for round := range 3 {
		for i, size := range sizes {
			value := largeValue(byte(round), size)
			apply(t, s, fmt.Sprint("random ", i), lattice.LWWKind, lattice.SetOp(value))
			apply(t, s, fmt.Sprint("zeros ", i), lattice.LWWKind, lattice.SetOp(make([]byte, size)))
		}
		if err := s.db.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.db.Compact(t.Context(), everything.start, everything.end, false); err != nil {
		t.Fatal(err)
	}
	shut(t, s)
	s = open(t, o)
	if err := s.Scrub(t.Context()); err != nil || s.Stats().Damaged != 0 {
		t.Errorf("Scrub = %v, with %d damaged", err, s.Stats().Damaged)
	}
	for i, size := range sizes {
		if got := show(t, s, fmt.Sprint("random ", i)); got != string(largeValue(2, size)) {
			t.Errorf("a value of %d bytes came back otherwise, with %d bytes", size, len(got))
		}
	}
}

// Without tableFS each read of the damaged block takes a minute.
func TestADamagedLargeValueIsMendedAtOnce(t *testing.T) {
	const size = 4 << 20
	fs := vfs.NewMem()
	o := options(fs)
	s := open(t, o)
	for i := range 20 {
		apply(t, s, fmt.Sprint("small ", i), lattice.LWWKind, lattice.SetOp([]byte("x")))
	}
	value := largeValue(0, size)
	apply(t, s, "large", lattice.LWWKind, lattice.SetOp(value))
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	shut(t, s)
	for _, path := range files(t, fs, "data", "*.sst") {
		content := read(t, fs, path)
		if at := bytes.Index(content, value[size/2:size/2+16]); at >= 0 {
			content[at] ^= 1
			write(t, fs, path, content)
		}
	}
	s = open(t, o)
	if _, _, err := s.Get(key("large")); !errors.Is(err, mesh.Internal) {
		t.Errorf("Get of a damaged value = %v, want Internal", err)
	}
	for i := range 20 {
		if got := show(t, s, fmt.Sprint("small ", i)); got != "x" {
			t.Errorf("small %d holds %q", i, got)
		}
	}
	apply(t, s, "large", lattice.LWWKind, lattice.SetOp([]byte("repaired")))
	if err := s.db.Compact(t.Context(), everything.start, everything.end, false); err != nil {
		t.Errorf("the engine cannot compact: %v", err)
	}
	if got := show(t, s, "large"); got != "repaired" {
		t.Errorf("the damaged key holds %d bytes after it was written again", len(got))
	}
}
