package lattice_test

import (
	"testing"

	"github.com/virga-mesh/virga/lattice"
)

// An operation that does not accumulate leaves the same value when two
// replicas apply it, but for the stamp of a register.
func TestAccumulates(t *testing.T) {
	put := func(kind lattice.Kind, op lattice.Op) lattice.Op { return lattice.PutOp("f", kind, op) }
	for _, c := range []struct {
		kind lattice.Kind
		op   lattice.Op
		want bool
	}{
		{lattice.BoolKind, lattice.EnableOp(), false},
		{lattice.MaxKind, lattice.OfferOp(lattice.IntScalar(1)), false},
		{lattice.MinKind, lattice.OfferOp(lattice.IntScalar(1)), false},
		{lattice.SetKind, lattice.AddOp("x"), false},
		{lattice.OrderedSetKind, lattice.AddOp("x"), false},
		{lattice.LWWKind, lattice.SetOp([]byte("x")), false},
		{lattice.PriorityKind, lattice.SetPriorityOp(1, []byte("x")), false},
		{lattice.ClockKind, lattice.TickOp(), true},
		{lattice.ClockKind, lattice.ObserveOp(lattice.NewVectorClock(map[string]uint64{"w": 2})), false},
		{lattice.CausalKind, lattice.SetOp([]byte("x")), true},
		{lattice.MultiCausalKind, lattice.SetOp([]byte("x")), true},
		{lattice.GCounterKind, lattice.IncOp(1), true},
		{lattice.PNCounterKind, lattice.IncOp(-1), true},
		{lattice.ORSetKind, lattice.AddOp("x"), true},
		{lattice.ORSetKind, lattice.RemoveOp("x"), true},
		{lattice.ORMapKind, lattice.DropOp("f"), true},
		{lattice.MVRegisterKind, lattice.SetOp([]byte("x")), true},
		{lattice.FlagKind, lattice.DisableOp(), true},
		{lattice.MapKind, put(lattice.SetKind, lattice.AddOp("x")), false},
		{lattice.MapKind, put(lattice.GCounterKind, lattice.IncOp(1)), true},
		{lattice.MapKind, put(lattice.MapKind, put(lattice.FlagKind, lattice.EnableOp())), true},
	} {
		if got := c.op.Accumulates(c.kind); got != c.want {
			t.Errorf("%s of a %s accumulates: %v, want %v", c.op, c.kind, got, c.want)
		}
	}
}
