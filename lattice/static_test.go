package lattice_test

import (
	"math"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/lattice/latticetest"
)

// TestLawsOfStaticTypes covers what Value does not reach: element types other than strings.
func TestLawsOfStaticTypes(t *testing.T) {
	t.Run("bool", func(t *testing.T) {
		on := &lattice.Bool{}
		on.Enable()
		latticetest.Check(t, []*lattice.Bool{{}, on}, lattice.DecodeBool)
	})
	t.Run("max", func(t *testing.T) {
		checkMax(t, int8(-128), 0, 127)
		checkMax(t, uint64(0), 1, math.MaxUint64)
		checkMax(t, int64(math.MinInt64), 0, math.MaxInt64)
		checkMax(t, "", "a", "b", "\xff")
		checkMax(t, math.Inf(-1), -1, math.Copysign(0, -1), 0, math.SmallestNonzeroFloat64, math.Inf(1), math.NaN(), -math.NaN())
		checkMax(t, float32(math.NaN()), -1.5, float32(math.Copysign(0, -1)), 0, math.MaxFloat32)
		checkMax[celsius](t, -40, 0, 36.6)
		checkMax[name](t, "", "x")
	})
	t.Run("min", func(t *testing.T) {
		checkMin(t, int8(-128), 0, 127)
		checkMin(t, "", "a", "b")
		checkMin(t, math.Inf(-1), -1, math.Copysign(0, -1), 0, math.Inf(1), math.NaN(), -math.NaN())
	})
	t.Run("set", func(t *testing.T) {
		latticetest.Check(t, []*lattice.Set[int]{{}, lattice.NewSet(-1), lattice.NewSet(0, 1), lattice.NewSet(-1, 0, 300)}, lattice.DecodeSet[int])
		latticetest.Check(t, []*lattice.Set[name]{{}, lattice.NewSet[name]("a"), lattice.NewSet[name]("b", "")}, lattice.DecodeSet[name])
		latticetest.Check(t, []*lattice.Set[uint8]{{}, lattice.NewSet[uint8](255), lattice.NewSet[uint8](1, 2)}, lattice.DecodeSet[uint8])
	})
	t.Run("ordered-set", func(t *testing.T) {
		large := lattice.NewOrderedSet[int]()
		for i := range 2000 {
			large.Add(i * 7919 % 2000)
		}
		latticetest.Check(t, []*lattice.OrderedSet[int]{{}, lattice.NewOrderedSet(5, -3), large}, lattice.DecodeOrderedSet[int])
	})
	t.Run("priority", func(t *testing.T) {
		samples := []*lattice.Priority{{}}
		for _, priority := range []float64{math.Inf(-1), math.Copysign(0, -1), 0, 1, math.NaN(), -math.NaN()} {
			samples = append(samples, lattice.NewPriority(priority, []byte("a")), lattice.NewPriority(priority, nil))
		}
		latticetest.Check(t, samples, lattice.DecodePriority)
	})
	t.Run("or-set", func(t *testing.T) {
		a, b := &lattice.ORSet[int]{}, &lattice.ORSet[int]{}
		added := a.Add("a", 1, 2, 2)
		b.Merge(added)
		removed := b.Remove(1)
		again := a.Add("a", 1)
		latticetest.Check(t, []*lattice.ORSet[int]{{}, a, b, added, removed, again}, lattice.DecodeORSet[int])
	})
}

type (
	celsius float64
	name    string
)

func checkMax[T lattice.Ordered](t *testing.T, values ...T) {
	t.Helper()
	samples := []*lattice.Max[T]{{}}
	for _, v := range values {
		samples = append(samples, lattice.NewMax(v))
	}
	latticetest.Check(t, samples, lattice.DecodeMax[T])
}

func checkMin[T lattice.Ordered](t *testing.T, values ...T) {
	t.Helper()
	samples := []*lattice.Min[T]{{}}
	for _, v := range values {
		samples = append(samples, lattice.NewMin(v))
	}
	latticetest.Check(t, samples, lattice.DecodeMin[T])
}

func TestLawsOfStaticMaps(t *testing.T) {
	type counts = lattice.Map[int, *lattice.Max[int]]
	a, b := &counts{}, &counts{}
	a.Put(1, lattice.NewMax(5))
	b.Put(1, lattice.NewMax(7))
	both := a.Clone()
	delta := both.Put(2, lattice.NewMax(0))
	latticetest.Check(t, []*counts{{}, a, b, both, delta}, func(b []byte) (*counts, error) {
		return lattice.DecodeMap[int](b, lattice.DecodeMax[int])
	})
}

func TestLawsOfStaticORMaps(t *testing.T) {
	type counts = lattice.ORMap[string, *lattice.GCounter]
	inc := func(n uint64) *lattice.GCounter {
		g := &lattice.GCounter{}
		if _, err := g.Inc("w", n); err != nil {
			t.Fatal(err)
		}
		return g
	}
	a, b := &counts{}, &counts{}
	first := a.Put("a", "x", inc(3))
	b.Merge(first)
	second := a.Put("a", "x", inc(5))
	dropped := b.Drop("x")
	third := b.Put("b", "y", inc(1))
	latticetest.Check(t, []*counts{{}, a, b, first, second, dropped, third}, func(b []byte) (*counts, error) {
		return lattice.DecodeORMap[string](b, lattice.DecodeGCounter)
	})
}

func TestLawsOfContextsAndClocks(t *testing.T) {
	dots := func(seqs ...uint64) *lattice.CausalContext {
		c := &lattice.CausalContext{}
		for _, seq := range seqs {
			c.Add(lattice.Dot{Writer: "w", Seq: seq})
		}
		return c
	}
	other := lattice.NewCausalContext(lattice.Dot{Writer: "v", Seq: 3})
	latticetest.Check(t, []*lattice.CausalContext{
		{}, other, dots(1), dots(1, 2, 3), dots(3), dots(2, 4), dots(4, 3, 2), dots(1, math.MaxUint64), dots(math.MaxUint64 - 1),
	}, lattice.DecodeCausalContext)
	clock := func(counts map[string]uint64) *lattice.VectorClock { return lattice.NewVectorClock(counts) }
	latticetest.Check(t, []*lattice.VectorClock{
		clock(nil), clock(map[string]uint64{"a": 0}), clock(map[string]uint64{"a": 1, "b": 0}),
		clock(map[string]uint64{"b": 2}), clock(map[string]uint64{"a": 3, "b": 1}), clock(map[string]uint64{"a": math.MaxUint64}),
	}, lattice.DecodeVectorClock)
}

func TestLawsOfCells(t *testing.T) {
	at := func(time uint64) lattice.Stamp { return lattice.Stamp{Time: time, Node: "n"} }
	lww := func(time uint64, payload string) lattice.Value {
		return applied(t, lattice.New(lattice.LWWKind), lattice.SetOp([]byte(payload)), lattice.Write{Stamp: at(time)})
	}
	set := applied(t, lattice.New(lattice.SetKind), lattice.AddOp("a"), lattice.Write{})
	latticetest.Check(t, []*latticetest.Cell{
		{Cell: lattice.Cell{}},
		{Cell: lattice.NewCell(lattice.Stamp{}, lattice.New(lattice.LWWKind))},
		{Cell: lattice.NewCell(lattice.Stamp{}, lww(1, "a"))},
		{Cell: lattice.NewCell(lattice.Stamp{}, lww(2, "b"))},
		{Cell: lattice.NewCell(at(3), lattice.Value{})},
		{Cell: lattice.NewCell(at(3), set)},
		{Cell: lattice.NewCell(at(3), lattice.New(lattice.SetKind))},
		{Cell: lattice.NewCell(at(4), lww(1, "a"))},
		{Cell: lattice.NewCell(lattice.Stamp{Time: 4, Node: "o"}, lattice.Value{})},
	}, latticetest.DecodeCell)
}

// applied gives state with op applied.
func applied(t testing.TB, state lattice.Value, op lattice.Op, at lattice.Write) lattice.Value {
	t.Helper()
	delta, err := latticetest.ApplyChecked(state, op, at)
	if err != nil {
		t.Fatal(err)
	}
	after := state.Clone()
	if _, err := after.Merge(delta); err != nil {
		t.Fatal(err)
	}
	return after
}
