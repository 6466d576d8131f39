package replica

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// elements are all names in a collection, as its pages give them.
func (n *testNode) elements(t *testing.T, k mesh.Key, quorum int) (names []string) {
	t.Helper()
	for from := 0; ; {
		page, next, err := n.GetPage(t.Context(), k, from, quorum)
		if err != nil {
			t.Fatalf("%s reads %v from %d: %v", n.id, k, from, err)
		}
		names = append(names, namesOf(page)...)
		if from = next; from == 0 {
			slices.Sort(names)
			return names
		}
	}
}

func namesOf(v lattice.Value) []string {
	return slices.Sorted(slices.Values(slices.AppendSeq(slices.Collect(v.Elements()), v.Names())))
}

// Collections of every kind that grow, shrink and are deleted, written and
// read through any node, must hold what a plain map of names holds.
func TestLargeCollectionsAgainstAModel(t *testing.T) {
	for _, kind := range []lattice.Kind{lattice.SetKind, lattice.ORSetKind, lattice.MapKind, lattice.ORMapKind} {
		t.Run(kind.String(), func(t *testing.T) {
			drawn := *seed
			if drawn == 0 {
				drawn = rand.Uint64()
			}
			t.Logf("replay with: go test ./node/replica -run %s -seed %d", t.Name(), drawn)
			synctest.Test(t, func(t *testing.T) { modelCollection(t, kind, rand.New(rand.NewPCG(drawn, 0))) })
		})
	}
}

func modelCollection(t *testing.T, kind lattice.Kind, rng *rand.Rand) {
	m := newTestMesh(t, 4)
	k := key("large")
	model := map[string]bool{}
	any := func() *testNode { return m.nodes[rng.IntN(len(m.nodes))] }
	for step := range 600 {
		op, change := collectionOp(rng, kind, step)
		if step == 400 {
			if _, err := any().Delete(t.Context(), k, WriteOptions{Quorum: 3}); err != nil {
				t.Fatal(err)
			}
			clear(model)
		}
		if _, err := any().Put(t.Context(), k, kind, op, WriteOptions{Quorum: 3}); err != nil {
			t.Fatalf("step %d, %v: %v", step, op, err)
		}
		change(model)
		if step%150 != 149 {
			continue
		}
		want := slices.Sorted(maps.Keys(model))
		for quorum := 1; quorum <= 3; quorum++ {
			if got := any().elements(t, k, quorum); !slices.Equal(got, want) {
				t.Fatalf("step %d: pages give %d names with quorum %d, want %d", step, len(got), quorum, len(want))
			}
			v, err := any().Get(t.Context(), k, quorum)
			if got := namesOf(v); err != nil || !slices.Equal(got, want) {
				t.Fatalf("step %d: %d names are read with quorum %d, %v, want %d", step, len(got), quorum, err, len(want))
			}
		}
		checkElements(t, any(), k, model)
	}
	keys, _, err := any().List(t.Context(), k.Namespace, "", "", 0)
	if err != nil || len(keys) != 1 || keys[0].Name != k.Name {
		t.Errorf("List gives %v, %v: want the one key", keys, err)
	}
}

func checkElements(t *testing.T, n *testNode, k mesh.Key, model map[string]bool) {
	t.Helper()
	for i := range 20 {
		name := fmt.Sprint("e", i*31)
		v, err := n.GetElement(t.Context(), k, name, 2)
		if err != nil || v.Has(name) != model[name] || v.Len() > 1 {
			t.Errorf("%s reads %v of element %s among %d, %v: want %v", n.id, v.Has(name), name, v.Len(), err, model[name])
		}
	}
}

func collectionOp(rng *rand.Rand, kind lattice.Kind, step int) (lattice.Op, func(map[string]bool)) {
	a, b := fmt.Sprint("e", rng.IntN(900)), fmt.Sprint("e", step)
	removes := rng.IntN(4) == 0
	put := func(model map[string]bool) { model[a], model[b] = true, true }
	switch {
	case kind == lattice.ORSetKind && removes:
		return lattice.RemoveOp(a, b), func(model map[string]bool) { delete(model, a); delete(model, b) }
	case kind == lattice.SetKind || kind == lattice.ORSetKind:
		return lattice.AddOp(a, b), put
	case kind == lattice.ORMapKind && removes:
		return lattice.DropOp(a), func(model map[string]bool) { delete(model, a) }
	}
	return lattice.PutOp(b, lattice.LWWKind, lattice.SetOp([]byte(b))), func(model map[string]bool) { model[b] = true }
}

// Counters in the fields of a large map count each increment once, whether
// the field is in the base for one node and in a part for another.
func TestCountersInALargeMap(t *testing.T) { synctest.Test(t, countInALargeMap) }

func countInALargeMap(t *testing.T) {
	m := newTestMesh(t, 3)
	k := key("counts")
	const fields, rounds = 400, 3
	for range rounds {
		for i := range fields {
			op := lattice.PutOp(fmt.Sprint(i), lattice.GCounterKind, lattice.IncOp(1))
			if _, err := m.nodes[i%3].Put(t.Context(), k, lattice.MapKind, op, WriteOptions{Quorum: 3}); err != nil {
				t.Fatal(err)
			}
		}
	}
	v, err := m.nodes[0].Get(t.Context(), k, 3)
	if err != nil || v.Len() != fields {
		t.Fatalf("%d fields, %v: want %d", v.Len(), err, fields)
	}
	for name, field := range v.Fields() {
		if n, _ := field.Count(); n != rounds {
			t.Errorf("field %s counts %d, want %d", name, n, rounds)
		}
	}
}

// A node that was away while a collection was divided, or deleted, learns it
// with the first delta of a part.
func TestAnOwnerThatMissedTheDivisionOrADelete(t *testing.T) {
	synctest.Test(t, missTheDivisionAndADelete)
}

func missTheDivisionAndADelete(t *testing.T) {
	m := newTestMesh(t, 3)
	k := key("large")
	away := m.nodes[2]
	fill := func(from, to int) {
		for i := from; i < to; i++ {
			if _, err := m.nodes[0].Put(context.Background(), k, lattice.ORSetKind, lattice.AddOp(fmt.Sprint(i)), WriteOptions{Quorum: 2}); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill(0, 250)
	away.cut(true)
	fill(250, 400)
	away.cut(false)
	fill(400, 500)
	m.eventually("the node that was away reads all", func() bool { return len(away.elements(t, k, 1)) == 500 })

	away.cut(true)
	if _, err := m.nodes[0].Delete(t.Context(), k, WriteOptions{Quorum: 2}); err != nil {
		t.Fatal(err)
	}
	away.cut(false)
	if _, err := away.Put(t.Context(), k, lattice.ORSetKind, lattice.AddOp("after"), WriteOptions{Quorum: 3}); err != nil {
		t.Fatal(err)
	}
	for _, n := range m.nodes {
		if got := n.elements(t, k, 2); !slices.Equal(got, []string{"after"}) {
			t.Errorf("%s reads %d elements after the delete, want one", n.id, len(got))
		}
	}
}

func TestWhatIsNoCollectionHasNoElements(t *testing.T) {
	m := newTestMesh(t, 1)
	if _, err := m.nodes[0].set(key("register"), "v", WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.nodes[0].GetElement(t.Context(), key("register"), "e", 1); !errors.Is(err, mesh.Invalid) {
		t.Errorf("element of a register: %v, want Invalid", err)
	}
	if _, err := m.nodes[0].GetElement(t.Context(), key("missing"), "e", 1); !errors.Is(err, mesh.NotFound) {
		t.Errorf("element of a missing key: %v, want NotFound", err)
	}
	for _, from := range []int{-1, 2, 16, 1025, 1 << 20} {
		if _, _, err := m.nodes[0].GetPage(t.Context(), key("register"), from, 1); !errors.Is(err, mesh.Invalid) {
			t.Errorf("page %d: %v, want Invalid", from, err)
		}
	}
}
