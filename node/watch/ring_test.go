package watch

import (
	"fmt"
	"slices"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

func named(name string) mesh.Key { return mesh.Key{Namespace: "default", Name: name} }

func namesOf(changed []change) (names []string) {
	for _, c := range changed {
		names = append(names, c.key.Name)
	}
	return names
}

func TestARingGivesWhatIsInScopeOnce(t *testing.T) {
	r := NewRing(8, false)
	for _, name := range []string{"a/1", "b", "a/2", "a/1", "a"} {
		r.Changed(named(name), lattice.Cell{})
	}
	r.Changed(mesh.Key{Namespace: "other", Name: "a/3"}, lattice.Cell{})
	r.Changed(mesh.Key{Namespace: mesh.SystemNamespace, Name: "a/4"}, lattice.Cell{})
	for _, test := range []struct {
		scope scope
		from  uint64
		limit int
		names []string
		next  uint64
	}{
		{scope{"default", "a/", false}, 0, 10, []string{"a/1", "a/2"}, 6},
		{scope{"default", "a/", false}, 1, 10, []string{"a/2", "a/1"}, 6},
		{scope{"default", "a/", false}, 0, 1, []string{"a/1"}, 2},
		{scope{"default", "a", true}, 0, 10, []string{"a"}, 6},
		{scope{"default", "", false}, 0, 2, []string{"a/1", "b"}, 2},
		{scope{"default", "c", false}, 0, 10, nil, 6},
		{scope{"other", "", false}, 0, 10, []string{"a/3"}, 6},
		{scope{"default", "", false}, 6, 10, nil, 6},
	} {
		changed, next, ok := r.since(test.scope, test.from, test.limit)
		if !ok || next != test.next || !slices.Equal(namesOf(changed), test.names) {
			t.Errorf("%+v from %d: %v up to %d, %v; want %v up to %d", test.scope, test.from, namesOf(changed), next, ok, test.names, test.next)
		}
	}
}

func TestARingKnowsWhatItForgot(t *testing.T) {
	r, all := NewRing(4, false), scope{namespace: "default"}
	for n := range 10 {
		r.Changed(named(fmt.Sprint(n)), lattice.Cell{})
	}
	if changed, next, ok := r.since(all, 6, 10); !ok || next != 10 || !slices.Equal(namesOf(changed), []string{"6", "7", "8", "9"}) {
		t.Errorf("the last four are %v up to %d, %v", namesOf(changed), next, ok)
	}
	for _, from := range []uint64{0, 5, 11} {
		if changed, _, ok := r.since(all, from, 10); ok {
			t.Errorf("from %d there are %v: expected none", from, namesOf(changed))
		}
	}
}

func TestAPartIsItsWhole(t *testing.T) {
	r := NewRing(4, false)
	r.Changed(named("k").Part(7), lattice.Cell{})
	r.Changed(named("k"), lattice.Cell{})
	changed, _, _ := r.since(scope{"default", "k", true}, 0, 10)
	if len(changed) != 1 || changed[0] != (change{named("k"), true}) {
		t.Errorf("got %+v", changed)
	}
}

func TestOnlyANewStoreHasABeginning(t *testing.T) {
	for _, fresh := range []bool{true, false} {
		r := NewRing(4, fresh)
		if r.holds(0, 0) != fresh || r.holds(0, 1) || !r.holds(r.incarnation, 3) || r.holds(r.incarnation+1, 0) {
			t.Errorf("a ring of a store that is new: %v", fresh)
		}
	}
}

func TestWaitingEndsWithTheNextChange(t *testing.T) {
	r := NewRing(4, true)
	first, second := r.beyond(0), r.beyond(0)
	select {
	case <-first:
		t.Error("there is a change before any was made")
	default:
	}
	r.Changed(named("k"), lattice.Cell{})
	<-first
	<-second
	<-r.beyond(0)
}

func TestChangesCostNoAllocation(t *testing.T) {
	r, key := NewRing(64, true), named("k")
	for range 64 {
		r.Changed(key, lattice.Cell{})
	}
	if n := testing.AllocsPerRun(1000, func() { r.Changed(key, lattice.Cell{}) }); n > 0 {
		t.Errorf("%v allocations for each change", n)
	}
}
