package exec

import (
	"errors"
	"testing"

	"github.com/virga-mesh/virga/mesh"
)

func TestMemoryGrowsWithinItsLimitAndTheBudget(t *testing.T) {
	evictable := 0
	b := &budget{limit: 1000}
	b.evict = func() bool {
		if evictable == 0 {
			return false
		}
		evictable--
		b.giveBack(300)
		return true
	}
	m, err := newLinearMemory(b, 100, 500)
	if err != nil || len(m.bytes) != 100 {
		t.Fatalf("%d bytes, %v", len(m.bytes), err)
	}
	m.bytes[99] = 7
	if grown := m.Reallocate(200); len(grown) != 200 || grown[99] != 7 || grown[199] != 0 {
		t.Error("growth lost or invented bytes")
	}
	if m.Reallocate(501) != nil || !errors.Is(m.denied, mesh.UserError) {
		t.Errorf("beyond the limit: %v", m.denied)
	}
	if !b.take(b.limit - b.used) {
		t.Fatal("the rest of the budget cannot be taken")
	}
	if m.Reallocate(400) != nil || !errors.Is(m.denied, mesh.Overloaded) {
		t.Errorf("beyond the budget: %v", m.denied)
	}
	evictable = 1
	if len(m.Reallocate(400)) != 400 {
		t.Error("nothing was evicted to make room")
	}
	if _, err := newLinearMemory(b, 400, 500); !errors.Is(err, mesh.Overloaded) {
		t.Errorf("a new memory beyond the budget: %v", err)
	}
	used := b.used
	m.Free()
	m.Free()
	if b.used != used-400 {
		t.Errorf("%d bytes are in use after Free, expected %d", b.used, used-400)
	}
}
