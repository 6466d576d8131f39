package lattice_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/virga-mesh/virga/lattice"
)

func TestSetsAgainstModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	set, ordered, model := &lattice.Set[int]{}, &lattice.OrderedSet[int]{}, map[int]bool{}
	for range 5000 {
		e := rng.IntN(4000)
		isNew := 1
		if model[e] {
			isNew = 0
		}
		model[e] = true
		if set.Add(e).Len() != isNew || ordered.Add(e).Len() != isNew {
			t.Fatalf("the delta of adding %d is not what was new", e)
		}
	}
	want := slices.Sorted(maps.Keys(model))
	if !slices.Equal(slices.Collect(set.Sorted()), want) || !slices.Equal(slices.Collect(ordered.All()), want) {
		t.Fatal("elements differ from the model's")
	}
	if set.Len() != len(want) || ordered.Len() != len(want) {
		t.Errorf("%d and %d elements, want %d", set.Len(), ordered.Len(), len(want))
	}
	for e := -1; e <= 4000; e++ {
		if set.Contains(e) != model[e] || ordered.Contains(e) != model[e] {
			t.Fatalf("Contains(%d) is not %v", e, model[e])
		}
		at, _ := slices.BinarySearch(want, e)
		if got := take(3, ordered.From(e)); !slices.Equal(got, want[at:min(at+3, len(want))]) {
			t.Fatalf("From(%d) gives %v", e, got)
		}
	}
	first, _ := ordered.First()
	last, _ := ordered.Last()
	if first != want[0] || last != want[len(want)-1] {
		t.Errorf("from %d to %d", first, last)
	}
}

func take[T any](n int, seq func(func(T) bool)) []T {
	var out []T
	for v := range seq {
		if out = append(out, v); len(out) == n {
			break
		}
	}
	return out
}

func TestSetsIntersectAndProject(t *testing.T) {
	odd := func(n int) bool { return n%2 == 1 }
	a, b := lattice.NewSet(1, 2, 3), lattice.NewSet(2, 3, 4, 5)
	if got := a.Intersect(b); got.Compare(lattice.NewSet(2, 3)) != lattice.Equal {
		t.Errorf("intersection %v", slices.Collect(got.Sorted()))
	}
	if got := b.Project(odd); got.Compare(lattice.NewSet(3, 5)) != lattice.Equal {
		t.Errorf("projection %v", slices.Collect(got.Sorted()))
	}
	c, d := lattice.NewOrderedSet(1, 2, 3), lattice.NewOrderedSet(2, 3, 4, 5)
	if got := d.Intersect(c); got.Compare(lattice.NewOrderedSet(2, 3)) != lattice.Equal {
		t.Errorf("intersection %v", slices.Collect(got.All()))
	}
	if got := d.Project(odd); got.Compare(lattice.NewOrderedSet(3, 5)) != lattice.Equal {
		t.Errorf("projection %v", slices.Collect(got.All()))
	}
	empty := &lattice.OrderedSet[int]{}
	if _, ok := empty.First(); ok || empty.Contains(1) || len(slices.Collect(empty.From(0))) > 0 {
		t.Error("an empty set holds something")
	}
	if _, ok := empty.Last(); ok {
		t.Error("an empty set has a last element")
	}
}

func TestMap(t *testing.T) {
	type maxima = lattice.Map[string, *lattice.Max[int]]
	m, other := &maxima{}, &maxima{}
	m.Put("a", lattice.NewMax(1))
	m.Put("b", lattice.NewMax(5))
	other.Put("b", lattice.NewMax(7))
	other.Put("c", lattice.NewMax(9))
	if m.Compare(other) != lattice.Concurrent {
		t.Errorf("maps of different keys are %s", m.Compare(other))
	}
	both := m.Intersect(other)
	if v, ok := both.At("b"); !ok || both.Len() != 1 || v.String() != "7" {
		t.Errorf("intersection of %d keys, b = %s", both.Len(), v)
	}
	if v, _ := m.At("b"); v.String() != "5" {
		t.Errorf("the intersection changed what it was made of: %s", v)
	}
	m.Merge(other)
	if got := m.Project(func(key string) bool { return key > "a" }); !slices.Equal(slices.Sorted(got.Keys()), []string{"b", "c"}) {
		t.Errorf("projection %v", slices.Sorted(got.Keys()))
	}
	text := ""
	for key, v := range m.Sorted() {
		text += fmt.Sprint(key, v)
	}
	if text != "a1b7c9" {
		t.Errorf("map of %s", text)
	}
}

func TestReadingCollections(t *testing.T) {
	for _, kind := range []lattice.Kind{lattice.SetKind, lattice.OrderedSetKind, lattice.ORSetKind} {
		r := newReplica(t, "a", kind)
		r.do(lattice.AddOp("c", "a", "b"))
		v := r.value
		if got := slices.Collect(v.Elements()); !slices.Equal(got, []string{"a", "b", "c"}) || v.Len() != 3 {
			t.Errorf("%s: elements %q", kind, got)
		}
		if got := take(1, v.From("aa")); !slices.Equal(got, []string{"b"}) || !v.Contains("c") || v.Contains("d") {
			t.Errorf("%s: from aa: %q", kind, got)
		}
	}
	m := newReplica(t, "a", lattice.MapKind)
	m.do(put("y", lattice.MaxKind, lattice.OfferOp(lattice.IntScalar(3))), put("x", lattice.BoolKind, lattice.EnableOp()))
	if got := slices.Collect(m.value.Names()); !slices.Equal(got, []string{"x", "y"}) || m.value.Len() != 2 {
		t.Errorf("fields %q", got)
	}
	if on, ok := m.field("x").Enabled(); !on || !ok || m.field("y").Scalar() != lattice.IntScalar(3) {
		t.Error("fields do not hold what was put")
	}
	if _, ok := m.value.Field("z"); ok {
		t.Error("a field that was never put is there")
	}
}

// Each reader answers for kinds that it does not fit too.
func TestReadingTheWrongKind(t *testing.T) {
	for _, v := range []lattice.Value{{}, lattice.New(lattice.BoolKind), lattice.New(lattice.LWWKind), lattice.New(lattice.ClockKind)} {
		_, isPayload := v.Payload()
		_, isPriority := v.Priority()
		_, isCount := v.Count()
		_, isField := v.Field("f")
		found := isPayload || isPriority || isCount || isField || v.Contains("x") || v.Len() > 0 || v.Context() != nil || !v.Stamp().IsZero() || !v.Scalar().IsZero()
		for range v.Elements() {
			found = true
		}
		for range v.Fields() {
			found = true
		}
		for range v.Siblings() {
			found = true
		}
		if found {
			t.Errorf("%s: something was found", v.Kind())
		}
	}
}
