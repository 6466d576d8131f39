package lattice_test

import (
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/lattice/latticetest"
)

// mutations plays mutations of a static type on two replicas in turn. Each
// must do to its replica what its delta does to a copy; deltas alone, in any
// order, must bring a third replica to where the two arrive; and all that came about must obey the laws.
func mutations[L lattice.Lattice[L]](t *testing.T, empty func() L, decode func([]byte) (L, error), mutate ...func(replica L, writer string) L) {
	t.Helper()
	replicas := map[string]L{"a": empty(), "b": empty()}
	samples := []L{empty()}
	for i, f := range mutate {
		writer := string(rune('a' + i%2))
		replica := replicas[writer]
		before := replica.Clone()
		delta := f(replica, writer)
		before.Merge(delta)
		if before.Compare(replica) != lattice.Equal {
			t.Errorf("mutation %d and its delta do not do the same", i)
		}
		samples = append(samples, delta, replica.Clone())
	}
	a, b, third := replicas["a"], replicas["b"], empty()
	a.Merge(b)
	for i := range samples {
		third.Merge(samples[len(samples)-1-i])
	}
	if third.Compare(a) != lattice.Equal {
		t.Error("deltas do not bring another replica to the same value")
	}
	latticetest.Check(t, samples, decode)
}

func TestMutationsOfStaticTypes(t *testing.T) {
	t.Run("bool", func(t *testing.T) {
		mutations(t, func() *lattice.Bool { return &lattice.Bool{} }, lattice.DecodeBool,
			func(b *lattice.Bool, _ string) *lattice.Bool { return b.Enable() })
	})
	t.Run("max", func(t *testing.T) {
		offer := func(n int) func(*lattice.Max[int], string) *lattice.Max[int] {
			return func(m *lattice.Max[int], _ string) *lattice.Max[int] { return m.Offer(n) }
		}
		mutations(t, func() *lattice.Max[int] { return &lattice.Max[int]{} }, lattice.DecodeMax[int], offer(3), offer(-4), offer(2))
	})
	t.Run("min", func(t *testing.T) {
		offer := func(n int) func(*lattice.Min[int], string) *lattice.Min[int] {
			return func(m *lattice.Min[int], _ string) *lattice.Min[int] { return m.Offer(n) }
		}
		mutations(t, func() *lattice.Min[int] { return &lattice.Min[int]{} }, lattice.DecodeMin[int], offer(3), offer(-4), offer(5))
	})
	t.Run("lww", func(t *testing.T) {
		set := func(time uint64) func(*lattice.LWW, string) *lattice.LWW {
			return func(l *lattice.LWW, writer string) *lattice.LWW {
				return l.Set(lattice.Stamp{Time: time, Node: writer}, []byte(writer))
			}
		}
		mutations(t, func() *lattice.LWW { return &lattice.LWW{} }, lattice.DecodeLWW, set(5), set(5), set(3))
	})
	t.Run("causal", func(t *testing.T) {
		set := func(c *lattice.Causal, writer string) *lattice.Causal { return c.Set(writer, []byte(writer)) }
		mutations(t, func() *lattice.Causal { return &lattice.Causal{} }, lattice.DecodeCausal, set, set, set)
	})
	t.Run("multi-causal", func(t *testing.T) {
		set := func(c *lattice.MultiCausal, writer string) *lattice.MultiCausal {
			return c.Set(writer, []byte(writer), map[string]*lattice.VectorClock{"k": c.Clock()})
		}
		mutations(t, func() *lattice.MultiCausal { return &lattice.MultiCausal{} }, lattice.DecodeMultiCausal, set, set, set)
	})
	t.Run("clock", func(t *testing.T) {
		tick := func(c *lattice.VectorClock, writer string) *lattice.VectorClock { return c.Tick(writer) }
		mutations(t, func() *lattice.VectorClock { return &lattice.VectorClock{} }, lattice.DecodeVectorClock, tick, tick, tick)
	})
}

func TestMutationsOfDottedTypes(t *testing.T) {
	t.Run("mv-register", func(t *testing.T) {
		set := func(r *lattice.MVRegister, writer string) *lattice.MVRegister { return r.Set(writer, []byte(writer)) }
		mutations(t, func() *lattice.MVRegister { return &lattice.MVRegister{} }, lattice.DecodeMVRegister, set, set, set)
	})
	t.Run("flag", func(t *testing.T) {
		enable := func(f *lattice.Flag, writer string) *lattice.Flag { return f.Enable(writer) }
		disable := func(f *lattice.Flag, _ string) *lattice.Flag { return f.Disable() }
		mutations(t, func() *lattice.Flag { return &lattice.Flag{} }, lattice.DecodeFlag, enable, enable, disable, disable, enable)
	})
	t.Run("or-set", func(t *testing.T) {
		type set = lattice.ORSet[uint8]
		add := func(s *set, writer string) *set { return s.Add(writer, 1, 200) }
		remove := func(s *set, _ string) *set { return s.Remove(1) }
		mutations(t, func() *set { return &set{} }, lattice.DecodeORSet[uint8], add, add, remove, remove, add)
	})
	t.Run("or-map", func(t *testing.T) {
		type maxima = lattice.ORMap[string, *lattice.Max[int]]
		put := func(n int) func(*maxima, string) *maxima {
			return func(m *maxima, writer string) *maxima { return m.Put(writer, "k", lattice.NewMax(n)) }
		}
		drop := func(m *maxima, _ string) *maxima { return m.Drop("k") }
		decode := func(b []byte) (*maxima, error) {
			return lattice.DecodeORMap[string](b, lattice.DecodeMax[int])
		}
		mutations(t, func() *maxima { return &maxima{} }, decode, put(3), put(4), drop, put(1), put(2))
	})
}

func TestORMapAt(t *testing.T) {
	m, other := &lattice.ORMap[string, *lattice.Set[string]]{}, &lattice.ORMap[string, *lattice.Set[string]]{}
	m.Put("a", "k", lattice.NewSet("x"))
	other.Put("b", "k", lattice.NewSet("y"))
	other.Put("b", "l", lattice.NewSet("z"))
	m.Merge(other)
	got, ok := m.At("k")
	if !ok || got.Compare(lattice.NewSet("x", "y")) != lattice.Equal {
		t.Fatal("a value is not the merge of what its writers put")
	}
	got.Add("kept apart")
	for key, v := range m.Sorted() {
		if v.Contains("kept apart") {
			t.Errorf("what was read of %s is shared with the map", key)
		}
	}
	if _, ok := m.At("none"); ok || m.Contains("none") || m.Len() != 2 {
		t.Error("a key that was never put is there")
	}
}

// What was decoded can be written to.
func TestDecodedValuesGoOn(t *testing.T) {
	for _, kind := range lattice.Kinds() {
		v, err := lattice.Decode(lattice.New(kind).AppendBinary(nil))
		if err != nil {
			t.Fatal(err)
		}
		if grew, err := v.Merge(lattice.New(kind)); grew || err != nil || v.Compare(lattice.New(kind)) != lattice.Equal {
			t.Errorf("%s: a decoded bottom is not the bottom: %v, %v", kind, grew, err)
		}
	}
}
