package replica

import (
	"fmt"
	"testing"
)

// Writes that do not count, such as the puts of registers, are many. Those that
// count have their own room.
func TestHintedWritesThatCountHaveTheirRoom(t *testing.T) {
	h := newHintedWrites(3)
	id := func(i int) [][]byte { return [][]byte{[]byte(fmt.Sprint("write ", i))} }
	for i := range 5 {
		h.Add("away", key(fmt.Sprint("register ", i)), hintedIDs{id(i), false})
	}
	for i := range 2 {
		h.Add("away", key("counter"), hintedIDs{id(10 + i), true})
	}
	h.Add("other", key("counter"), hintedIDs{id(20), true})
	h.Add("other", key("counter"), hintedIDs{id(21), true})
	for range 2 { // what is given back is there as before
		taken := h.Take("away")
		if n := len(taken[key("counter")].ids); len(taken) != 4 || n != 2 {
			t.Errorf("taken of %d keys, and %d of the counter, want 4 and 2", len(taken), n)
		}
		h.GiveBack("away", taken)
	}
	if n := len(h.Take("other")[key("counter")].ids); n != 1 {
		t.Errorf("the other node is told of %d writes, want 1: there is no more room", n)
	}
}

func TestOfOneKeyOnlySoManyWritesAreTold(t *testing.T) {
	h := newHintedWrites(2 * maxMergeIDs)
	for i := range maxMergeIDs + 1 {
		h.Add("away", key("k"), hintedIDs{[][]byte{{byte(i)}}, i%2 == 0})
	}
	if n := len(h.Take("away")[key("k")].ids); n != maxMergeIDs {
		t.Errorf("%d writes are told, want %d", n, maxMergeIDs)
	}
	if h.count != 2*maxMergeIDs || h.plain != 2*maxMergeIDs {
		t.Errorf("room for %d and %d is left, want all", h.count, h.plain)
	}
}
