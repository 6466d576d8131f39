package lattice_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/lattice/latticetest"
)

// causedCell is a cell as a write makes it that tells its causes.
func causedCell(t *testing.T, have lattice.Cell, kind lattice.Kind, op lattice.Op, time uint64, needs lattice.Past) lattice.Cell {
	t.Helper()
	delta, err := have.Apply(kind, op, lattice.Write{Stamp: lattice.Stamp{Time: time, Node: "n"}, Writer: "w", Causes: &needs})
	if err != nil {
		t.Fatal(err)
	}
	return delta
}

func TestCausesAreJoinedAndAWriteTellsItsOwnOnly(t *testing.T) {
	a, b := pastOf(map[string]uint64{"a": 1}), pastOf(map[string]uint64{"b": 2})
	for kind, op := range map[lattice.Kind]lattice.Op{lattice.LWWKind: lattice.SetOp([]byte("x")), lattice.SetKind: lattice.AddOp("x"), lattice.GCounterKind: lattice.IncOp(1)} {
		cell := causedCell(t, lattice.Cell{}, kind, op, 1, a)
		delta := causedCell(t, cell, kind, op, 3, b)
		if !delta.Needs().Covers(b) || delta.Needs().Covers(a) || delta.Made().Of("n") != 3 {
			t.Errorf("%s: the second write needs %v and is %v", kind, delta.Needs(), delta.Made())
		}
		if _, err := cell.Merge(delta); err != nil {
			t.Fatal(err)
		}
		if !cell.Needs().Covers(a.Join(b)) || cell.Made().Of("n") != 3 {
			t.Errorf("%s: both need %v and are %v", kind, cell.Needs(), cell.Made())
		}
		plain, err := cell.Apply(kind, op, lattice.Write{Stamp: lattice.Stamp{Time: 4, Node: "n"}, Writer: "w"})
		if err != nil || plain.CausesSize() != 0 {
			t.Errorf("%s: a plain write tells %d bytes, %v", kind, plain.CausesSize(), err)
		}
		cell.Reset(lattice.Stamp{Time: 9, Node: "n"})
		if cell.CausesSize() != 0 {
			t.Errorf("%s: causes outlive a delete", kind)
		}
	}
}

func TestADeleteTellsItsCauses(t *testing.T) {
	needs := pastOf(map[string]uint64{"a": 1})
	at := lattice.Write{Stamp: lattice.Stamp{Time: 5, Node: "n"}, Causes: &needs}
	gone := lattice.NewCell(at.Stamp, lattice.Value{}).Caused(at)
	if !gone.Deleted() || !gone.Needs().Covers(needs) || gone.Made().Of("n") != 5 {
		t.Errorf("it needs %v and is %v", gone.Needs(), gone.Made())
	}
}

// TestLawsOfCellsWithCauses tries the laws on cells with resets, births, expiries and causes.
func TestLawsOfCellsWithCauses(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	expiries := sampleExpiries()
	for _, kind := range []lattice.Kind{lattice.LWWKind, lattice.SetKind, lattice.PNCounterKind} {
		h := latticetest.NewHistory(kind, 2, rng)
		if err := h.Run(12); err != nil {
			t.Fatal(err)
		}
		values := append(h.Samples(5), lattice.Value{})
		samples := []*latticetest.Cell{{}}
		for range 14 {
			at := lattice.Stamp{Time: rng.Uint64N(3), Node: "n"}
			needs := pastOf(map[string]uint64{"a": 1 + rng.Uint64N(3), "b": 1 + rng.Uint64N(3)})
			cell := lattice.NewCell(lattice.Stamp{Time: rng.Uint64N(3)}, values[rng.IntN(len(values))].Clone())
			cell = cell.WithExpiry(expiries[rng.IntN(len(expiries))])
			if rng.IntN(3) > 0 {
				cell = cell.Caused(lattice.Write{Stamp: at, Causes: &needs})
			}
			if rng.IntN(2) == 0 {
				cell.AddCauses(deletedBy(1+rng.Uint64N(2), rng.IntN(2) == 0))
			}
			samples = append(samples, &latticetest.Cell{Cell: cell})
		}
		latticetest.Check(t, samples, latticetest.DecodeCell)
	}
}

func TestACellWithoutCausesIsEncodedAsBefore(t *testing.T) {
	needs := lattice.Past{}
	at := lattice.Write{Stamp: lattice.Stamp{Time: 1, Node: "n"}, Causes: &needs}
	plain, err := lattice.Cell{}.Apply(lattice.LWWKind, lattice.SetOp([]byte("x")), lattice.Write{Stamp: at.Stamp})
	if err != nil {
		t.Fatal(err)
	}
	caused, err := lattice.Cell{}.Apply(lattice.LWWKind, lattice.SetOp([]byte("x")), at)
	if err != nil || !bytes.Equal(plain.AppendBinary(nil), caused.AppendBinary(nil)) {
		t.Errorf("a register that depends on nothing is %x, plain %x: %v", caused.AppendBinary(nil), plain.AppendBinary(nil), err)
	}
}
