package lattice_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/lattice"
)

func TestKinds(t *testing.T) {
	want := "bool max min set ordered-set map lww priority clock causal multi-causal gcounter pncounter or-set or-map mv-register flag"
	var names []string
	for i, kind := range lattice.Kinds() {
		names = append(names, kind.String())
		if int(kind) != i+1 || !kind.Valid() || len(kind.Verbs()) == 0 {
			t.Errorf("%s has number %d and verbs %v", kind, kind, kind.Verbs())
		}
		if parsed, err := lattice.ParseKind(kind.String()); parsed != kind || err != nil {
			t.Errorf("%s parses as %s, %v", kind, parsed, err)
		}
	}
	if got := strings.Join(names, " "); got != want {
		t.Errorf("kinds %s, want %s", got, want)
	}
	for _, name := range []string{"", "none", "SET", "sets"} {
		if kind, err := lattice.ParseKind(name); !errors.Is(err, lattice.ErrInvalid) || kind != lattice.NoKind {
			t.Errorf("%q parses as %s, %v", name, kind, err)
		}
	}
	if lattice.Kind(99).String() != "Kind(99)" || lattice.Kind(99).Valid() || lattice.Kind(99).Verbs() != nil {
		t.Error("kind 99 is known")
	}
}

func TestOrders(t *testing.T) {
	orders := []lattice.Order{lattice.Less, lattice.Equal, lattice.Greater, lattice.Concurrent}
	want := [][]lattice.Order{
		{lattice.Less, lattice.Less, lattice.Concurrent, lattice.Concurrent},
		{lattice.Less, lattice.Equal, lattice.Greater, lattice.Concurrent},
		{lattice.Concurrent, lattice.Greater, lattice.Greater, lattice.Concurrent},
		{lattice.Concurrent, lattice.Concurrent, lattice.Concurrent, lattice.Concurrent},
	}
	for i, o := range orders {
		for j, p := range orders {
			if got := o.And(p); got != want[i][j] {
				t.Errorf("%s and %s is %s, want %s", o, p, got, want[i][j])
			}
		}
		if o.Invert().Invert() != o {
			t.Errorf("%s inverts to %s", o, o.Invert())
		}
	}
}

func TestStamps(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
	first := lattice.Stamp{Node: "n"}.Next(at)
	if first.String() != "2026-01-02T03:04:05.006Z.0@n" || !first.Physical().Equal(at) {
		t.Errorf("first stamp %s", first)
	}
	for _, clock := range []time.Time{at, at.Add(-time.Hour), {}, time.UnixMilli(-5)} {
		if next := first.Next(clock); !next.After(first) || next.Time != first.Time+1 {
			t.Errorf("with the clock at %s, %s follows %s", clock, next, first)
		}
	}
	if next := first.Next(at.Add(time.Millisecond)); next.String() != "2026-01-02T03:04:05.007Z.0@n" {
		t.Errorf("a millisecond later: %s", next)
	}
	full := lattice.Stamp{Time: first.Time | 0xffff, Node: "n"}
	if next := full.Next(at); !next.After(full) {
		t.Errorf("%s follows %s", next, full)
	}
	if (lattice.Stamp{}).After(first) || !(lattice.Stamp{}).IsZero() || !(lattice.Stamp{Time: first.Time, Node: "o"}).After(first) {
		t.Error("stamps are not ordered by time, then node")
	}
}

func TestScalarsStandInOneOrder(t *testing.T) {
	ascending := []lattice.Scalar{
		{},
		lattice.FloatScalar(math.Inf(-1)), lattice.FloatScalar(-math.MaxFloat64),
		lattice.IntScalar(math.MinInt64), lattice.FloatScalar(math.MinInt64),
		lattice.FloatScalar(-1.5), lattice.IntScalar(-1), lattice.FloatScalar(-0.5),
		lattice.IntScalar(0), lattice.FloatScalar(0), lattice.FloatScalar(0.5), lattice.IntScalar(1),
		lattice.IntScalar(1<<53 + 1), lattice.FloatScalar(1<<53 + 2),
		lattice.IntScalar(math.MaxInt64), lattice.FloatScalar(math.MaxInt64), lattice.FloatScalar(math.Inf(1)),
		lattice.TextScalar(""), lattice.TextScalar("a"), lattice.TextScalar("b"),
	}
	for i, a := range ascending {
		for j, b := range ascending {
			if got := a.Compare(b); (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("%s against %s is %d", a, b, got)
			}
		}
	}
	if lattice.FloatScalar(math.Copysign(0, -1)) != lattice.FloatScalar(0) || !lattice.FloatScalar(math.NaN()).IsZero() {
		t.Error("-0 and NaN are not in their one form")
	}
	if n, ok := lattice.IntScalar(3).Int(); n != 3 || !ok {
		t.Error("an int is not given back")
	}
	if _, ok := lattice.IntScalar(3).Float(); ok {
		t.Error("an int is a float")
	}
	if text, ok := lattice.TextScalar("x").Text(); text != "x" || !ok {
		t.Error("a text is not given back")
	}
}

func TestMaxAndMinTakeTheBest(t *testing.T) {
	offers := []lattice.Op{
		lattice.OfferOp(lattice.IntScalar(2)), lattice.OfferOp(lattice.FloatScalar(2.5)),
		lattice.OfferOp(lattice.TextScalar("x")), lattice.OfferOp(lattice.IntScalar(-7)),
	}
	largest, smallest := newReplica(t, "a", lattice.MaxKind), newReplica(t, "a", lattice.MinKind)
	for _, offer := range slices.Backward(offers) {
		largest.do(offer)
		smallest.do(offer)
	}
	if largest.value.Scalar() != lattice.TextScalar("x") || smallest.value.Scalar() != lattice.IntScalar(-7) {
		t.Errorf("max %s, min %s", largest.value.Scalar(), smallest.value.Scalar())
	}
}
