package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

func TestAKeyIsPromotedAtItsSecondReadWithinTheWindow(t *testing.T) {
	p := newPromotions(time.Minute)
	p.bound = 3
	start := time.Unix(1000, 0)
	for _, step := range []struct {
		at   time.Duration
		name string
		want bool
	}{
		{0, "a", false}, {time.Second, "a", true}, {2 * time.Second, "b", false},
		{61 * time.Second, "b", true},
		{300 * time.Second, "b", false}, // long ago
		{301 * time.Second, "c", false}, {302 * time.Second, "d", false},
		{303 * time.Second, "e", false}, // a new window, for want of space
		{304 * time.Second, "c", true},
	} {
		if got := p.again(key(step.name), start.Add(step.at)); got != step.want {
			t.Errorf("%v, %s: read again %v, want %v", step.at, step.name, got, step.want)
		}
	}
}

// A data set ten times the size of memory works, and reading it all does not
// push out what is hot.
func TestAScanLeavesTheHotKeysInMemory(t *testing.T) {
	o := options(vfs.NewMem())
	o.MemoryBytes = 256 << 10
	s := open(t, o)
	const keys, hot = 2500, 50
	value := make([]byte, 1024)
	name := func(i int) string { return fmt.Sprintf("k%04d", i) }
	for i := range keys {
		if _, _, err := s.Apply(t.Context(), key(name(i)), lattice.LWWKind, lattice.SetOp(value), mesh.Memory); err != nil {
			t.Fatal(err)
		}
	}
	get := func(i int) {
		t.Helper()
		if cell, ok, err := s.Get(key(name(i))); !ok || err != nil || cell.Deleted() {
			t.Fatalf("%s: %v, %v", name(i), ok, err)
		}
	}
	for range 3 {
		for i := range hot {
			get(i)
		}
	}
	for i := range keys {
		get(i)
	}
	inMemory := 0
	for i := range hot {
		if _, ok := s.InMemory(key(name(i))); ok {
			inMemory++
		}
	}
	if inMemory < hot*9/10 {
		t.Errorf("%d of %d hot keys are in memory after a scan", inMemory, hot)
	}
	if stats := s.Stats(); stats.MemoryBytes > o.MemoryBytes || stats.Keys != keys {
		t.Errorf("%d bytes in memory of %d, %d keys", stats.MemoryBytes, o.MemoryBytes, stats.Keys)
	}
}
