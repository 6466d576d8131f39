package lattice_test

import (
	"errors"
	"math"
	"testing"

	"github.com/virga-mesh/virga/lattice"
)

func TestCountersCountOnce(t *testing.T) {
	for _, kind := range []lattice.Kind{lattice.GCounterKind, lattice.PNCounterKind} {
		a, b := newReplica(t, "a", kind), newReplica(t, "b", kind)
		first, second := a.do(lattice.IncOp(2)), a.do(lattice.IncOp(3))
		other := b.do(lattice.IncOp(10))
		b.get(second, first, second, other)
		if n, ok := b.value.Count(); n != 15 || !ok {
			t.Errorf("%s: %d, want 15 whatever is repeated", kind, n)
		}
		a.do(lattice.IncOp(0))
	}
}

func TestCountersAtTheirEnds(t *testing.T) {
	p := &lattice.PNCounter{}
	for _, c := range []struct{ n, want int64 }{
		{math.MinInt64, math.MinInt64},
		{-1, math.MinInt64},
		{1, math.MinInt64},
		{math.MaxInt64, -1},
		{math.MaxInt64, math.MaxInt64 - 1},
	} {
		if _, err := p.Inc("w", c.n); err != nil || p.Value() != c.want {
			t.Errorf("after %d: %s, %v; want %d", c.n, p, err, c.want)
		}
	}
	if _, err := p.Inc("w", math.MaxInt64); !errors.Is(err, lattice.ErrInvalid) {
		t.Errorf("a total past 64 bits gave %v", err)
	}
	g := &lattice.GCounter{}
	for _, writer := range []string{"a", "b"} {
		if _, err := g.Inc(writer, math.MaxUint64); err != nil {
			t.Fatal(err)
		}
	}
	if g.Value() != math.MaxUint64 {
		t.Errorf("the sum of two full totals is %s", g)
	}
}

func TestVectorClock(t *testing.T) {
	a, b := &lattice.VectorClock{}, &lattice.VectorClock{}
	b.Merge(a.Tick("a"))
	a.Tick("a")
	b.Tick("b")
	if a.Compare(b) != lattice.Concurrent || a.String() != "{a:2}" || b.String() != "{a:1 b:1}" {
		t.Errorf("%s and %s are %s", a, b, a.Compare(b))
	}
	b.Merge(a)
	if a.Compare(b) != lattice.Less || b.Compare(a) != lattice.Greater || b.Len() != 2 {
		t.Errorf("%s and %s are %s", a, b, a.Compare(b))
	}
	r := newReplica(t, "w", lattice.ClockKind)
	r.do(lattice.TickOp(), lattice.ObserveOp(b), lattice.TickOp())
	if got := r.value.Clock().String(); got != "{a:2 b:1 w:2}" {
		t.Errorf("clock %s", got)
	}
}
