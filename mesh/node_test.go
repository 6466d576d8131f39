package mesh

import (
	"errors"
	"testing"
)

func TestNodeIDRoundTrip(t *testing.T) {
	id := NodeID("\x00\x24\x08\x01\x12\x20some thirty-two bytes of a key..")
	got, err := ParseNodeID(id.String())
	if err != nil || got != id {
		t.Errorf("ParseNodeID(%q) = %q, %v", id.String(), got, err)
	}
	for _, bad := range []string{"", "0OIl", "not base58!"} {
		if _, err := ParseNodeID(bad); !errors.Is(err, Invalid) {
			t.Errorf("ParseNodeID(%q) = %v, want Invalid", bad, err)
		}
	}
}

func TestCompareDistance(t *testing.T) {
	target := ID{0: 0b1000}
	near, far := ID{0: 0b1001}, ID{0: 0b0000}
	if CompareDistance(target, near, far) >= 0 || CompareDistance(target, far, near) <= 0 {
		t.Error("the closer id does not come first")
	}
	if CompareDistance(target, near, near) != 0 {
		t.Error("an id is not as close as itself")
	}
}

func TestTheNextRunFollowsFromTheFirst(t *testing.T) {
	first := NewRunID()
	next, again := first.Next(), first.Next()
	if next != again || next == first || next == NewRunID().Next() {
		t.Error("the id of the next run is not one of its own")
	}
}
