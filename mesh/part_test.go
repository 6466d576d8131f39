package mesh

import (
	"errors"
	"fmt"
	"testing"
)

func TestPartsLieWithTheirWhole(t *testing.T) {
	whole := Key{DefaultNamespace, "a large set"}
	seen := map[ID]uint16{}
	for n := range uint16(Parts) {
		part := whole.Part(n)
		if err := part.ValidateStored(); err != nil {
			t.Fatalf("part %d: %v", n, err)
		}
		if err := part.Validate(); !errors.Is(err, Invalid) {
			t.Fatalf("part %d as a user's key: %v, want Invalid", n, err)
		}
		if of, at, is := part.Whole(); !is || at != n || of != whole {
			t.Fatalf("part %d is part %d of %v, %v", n, at, of, is)
		}
		if part.Partition() != whole.Partition() {
			t.Fatalf("part %d lies in partition %v, its whole in %v", n, part.Partition(), whole.Partition())
		}
		if back, err := KeyFromPath(part.Path()); err != nil || back != part {
			t.Fatalf("part %d comes back as %v, %v", n, back, err)
		}
		if other, twice := seen[part.ID()]; twice {
			t.Fatalf("parts %d and %d have one id", n, other)
		}
		seen[part.ID()] = n
	}
}

func TestWhatIsNoPart(t *testing.T) {
	for _, name := range []string{"", "a", "ab", "abc", "a/b"} {
		k := Key{DefaultNamespace, name}
		if whole, _, is := k.Whole(); is || whole != k {
			t.Errorf("%q is a part of %v", name, whole)
		}
	}
	for _, name := range []string{"\x0000", "a\x00", "a\x000", "a\x0000\x00", "a\x00zz", "a\x00\x00\x00", "a\x0000\x0000", "a\x00@0"} {
		k := Key{DefaultNamespace, name}
		if err := k.ValidateStored(); !errors.Is(err, Invalid) {
			t.Errorf("%q is stored: %v, want Invalid", name, err)
		}
	}
}

func TestElementsSpreadOverParts(t *testing.T) {
	const elements = 64 * Parts
	var count [Parts]int
	for i := range elements {
		count[PartOf(fmt.Sprint(i))]++
	}
	for part, n := range count {
		if n < 16 || n > 160 { // of 64 expected
			t.Errorf("part %d has %d of %d elements", part, n, elements)
		}
	}
}
