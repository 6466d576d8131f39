package lattice_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/lattice/latticetest"
)

// bear gives the cell that an operation makes out of nothing.
func bear(t *testing.T, kind lattice.Kind, op lattice.Op, born time.Time) lattice.Cell {
	t.Helper()
	cell, err := lattice.Cell{}.Apply(kind, op, lattice.Write{
		Stamp: lattice.Stamp{Time: uint64(born.Add(time.Hour).UnixMilli()) << 16, Node: "n"}, Writer: "w", Now: born.Add(time.Hour), Born: lattice.NewBirth(born),
	})
	if err != nil {
		t.Fatal(err)
	}
	return cell
}

func deletedAt(at time.Time) lattice.Cell {
	return lattice.NewCell(lattice.Stamp{Time: uint64(at.UnixMilli()) << 16, Node: "n"}, lattice.Value{})
}

func merged(t *testing.T, cells ...lattice.Cell) lattice.Cell {
	t.Helper()
	var all lattice.Cell
	for _, cell := range cells {
		if _, err := all.Merge(cell); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestABirthIsEndedByLaterDeletesOnly(t *testing.T) {
	born := time.UnixMilli(1_000_000_000)
	cell := bear(t, lattice.SetKind, lattice.AddOp("x"), born)
	if !cell.Born() || cell.Deleted() || !cell.ResetAt().IsZero() || cell.Began().Physical() != born.UTC() {
		t.Fatalf("began %v, reset %v", cell.Began(), cell.ResetAt())
	}
	before, after := deletedAt(born.Add(-time.Second)), deletedAt(born.Add(time.Second))
	if before.Dominates(cell) || !after.Dominates(cell) {
		t.Error("a delete before the birth dominates it, or one after it does not")
	}
	for _, order := range [][]lattice.Cell{{before, cell}, {cell, before}} {
		if got := merged(t, order...); got.Compare(cell) != lattice.Equal {
			t.Errorf("with a delete before it: began %v", got.Began())
		}
	}
	for _, order := range [][]lattice.Cell{{after, cell}, {cell, after}} {
		if got := merged(t, order...); !got.Deleted() {
			t.Error("a delete after the birth did not end it")
		}
	}
}

func TestCellsThatBeganApartMerge(t *testing.T) {
	born := time.UnixMilli(1_000_000_000)
	one := bear(t, lattice.SetKind, lattice.AddOp("x"), born)
	other := bear(t, lattice.SetKind, lattice.AddOp("y"), born.Add(time.Minute))
	old, err := lattice.Cell{}.Apply(lattice.SetKind, lattice.AddOp("z"), lattice.Write{Writer: "w"})
	if err != nil {
		t.Fatal(err)
	}
	revived, err := deletedAt(born.Add(-time.Hour)).Apply(lattice.SetKind, lattice.AddOp("u"), lattice.Write{Writer: "w"})
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2]lattice.Cell{{one, other}, {old, other}, {revived, other}} {
		a, b := merged(t, pair[0], pair[1]), merged(t, pair[1], pair[0])
		v, _ := a.Value()
		if a.Compare(b) != lattice.Equal || v.Len() != 2 || a.Began() != other.Began() {
			t.Errorf("%v and %v merge to %v of %d elements", pair[0].Began(), pair[1].Began(), a.Began(), v.Len())
		}
	}
	if order := one.Compare(other); order != lattice.Concurrent {
		t.Errorf("two that differ compare as %v", order)
	}
}

// TestLawsOfCellsThatWereBorn tries the laws where no delete falls between
// values and births; and another kind of register is refused as ever.
func TestLawsOfCellsThatWereBorn(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	born := time.UnixMilli(1_000_000_000)
	for _, kind := range lattice.Kinds() {
		h := latticetest.NewHistory(kind, 2, rng)
		if err := h.Run(12); err != nil {
			t.Fatal(err)
		}
		values := h.Samples(5)
		deltas := []lattice.Stamp{{}, bear(t, lattice.SetKind, lattice.AddOp("x"), born).Began(), bear(t, lattice.SetKind, lattice.AddOp("x"), born.Add(time.Second)).Began()}
		later := deletedAt(born.Add(time.Hour))
		samples := []*latticetest.Cell{{}, {Cell: later}}
		for range 12 {
			value := values[rng.IntN(len(values))].Clone()
			samples = append(samples, &latticetest.Cell{Cell: lattice.NewCell(deltas[rng.IntN(len(deltas))], value)})
		}
		samples = append(samples, &latticetest.Cell{Cell: lattice.NewCell(later.ResetAt(), values[0].Clone())})
		latticetest.Check(t, samples, latticetest.DecodeCell)
	}
}
