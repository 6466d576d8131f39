package lattice_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"github.com/virga-mesh/virga/lattice"
)

func TestCellLives(t *testing.T) {
	at := func(time uint64) lattice.Write {
		return lattice.Write{Stamp: lattice.Stamp{Time: time, Node: "n"}, Writer: "w"}
	}
	var cell lattice.Cell
	do := func(kind lattice.Kind, op lattice.Op, time uint64) lattice.Cell {
		t.Helper()
		delta, err := cell.Apply(kind, op, at(time))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cell.Merge(delta); err != nil {
			t.Fatal(err)
		}
		return delta
	}
	if !cell.IsZero() || cell.Deleted() {
		t.Error("a cell begins as if it had been used")
	}
	early := do(lattice.SetKind, lattice.AddOp("x"), 1)
	var mismatch *lattice.KindMismatchError
	if _, err := cell.Apply(lattice.LWWKind, lattice.SetOp(nil), at(2)); !errors.As(err, &mismatch) || mismatch.Have != lattice.SetKind || mismatch.Got != lattice.LWWKind {
		t.Errorf("another kind gave %v", err)
	}

	delta := cell.Reset(at(3).Stamp)
	if _, ok := cell.Value(); ok || !cell.Deleted() || cell.Compare(delta) != lattice.Equal {
		t.Error("a reset left something")
	}
	if !cell.Dominates(early) {
		t.Error("a write from before the reset is not dominated")
	}
	if grew, err := cell.Merge(early); grew || err != nil {
		t.Errorf("a dominated write gave %v, %v", grew, err)
	}

	late := do(lattice.LWWKind, lattice.SetOp([]byte("p")), 4)
	if late.ResetAt() != at(3).Stamp || cell.Deleted() || cell.Dominates(late) {
		t.Errorf("a write after the reset has reset %s", late.ResetAt())
	}
	cell.Reset(at(2).Stamp)
	if v, ok := cell.Value(); !ok || v.Kind() != lattice.LWWKind {
		t.Error("an earlier reset undid a later one")
	}
	var other lattice.Cell
	other.Reset(at(1).Stamp)
	if grew, err := other.Merge(cell); !grew || err != nil || other.Compare(cell) != lattice.Equal {
		t.Errorf("a later cell did not replace an earlier one: %v, %v", grew, err)
	}
}

func TestCellMismatchChangesNothing(t *testing.T) {
	reset := lattice.Stamp{Time: 1, Node: "n"}
	cell := lattice.NewCell(reset, lattice.New(lattice.SetKind))
	before := cell.AppendBinary(nil)
	grew, err := cell.Merge(lattice.NewCell(reset, lattice.New(lattice.LWWKind)))
	if grew || !errors.Is(err, lattice.ErrKindMismatch) || !bytes.Equal(cell.AppendBinary(nil), before) {
		t.Errorf("got %v, %v", grew, err)
	}
	if _, err := cell.Apply(lattice.NoKind, lattice.TickOp(), lattice.Write{}); !errors.Is(err, lattice.ErrKindMismatch) {
		t.Errorf("no kind gave %v", err)
	}
}

// What was merged in must not be changed by merging more.
func TestCellSharesNothingWithWhatItMerged(t *testing.T) {
	for _, kind := range lattice.Kinds() {
		r := newReplica(t, "a", kind)
		op := lattice.AddOp("x")
		switch kind.Verbs()[0] {
		case lattice.VerbPut:
			op = lattice.PutOp("f", lattice.SetKind, lattice.AddOp("x"))
		case lattice.VerbSet:
			op = lattice.SetOp([]byte("x"))
			if kind == lattice.PriorityKind {
				op = lattice.SetPriorityOp(1, []byte("x"))
			}
		case lattice.VerbInc:
			op = lattice.IncOp(1)
		case lattice.VerbOffer:
			op = lattice.OfferOp(lattice.IntScalar(1))
		case lattice.VerbEnable:
			op = lattice.EnableOp()
		case lattice.VerbTick:
			op = lattice.TickOp()
		}
		delta := lattice.NewCell(lattice.Stamp{}, r.do(op))
		before := delta.AppendBinary(nil)
		var cell lattice.Cell
		if _, err := cell.Merge(delta); err != nil {
			t.Fatal(err)
		}
		more := newReplica(t, "b", kind)
		if kind.Verbs()[0] == lattice.VerbAdd {
			op = lattice.AddOp("y")
		}
		if _, err := cell.Merge(lattice.NewCell(lattice.Stamp{}, more.do(op))); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(delta.AppendBinary(nil), before) {
			t.Errorf("%s: the delta changed with the cell", kind)
		}
	}
}

func TestDecodeCellRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":              "",
		"a reset alone":        "0000",
		"what follows nothing": "00000000",
		"what follows a value": "0000010100",
		"a long varint":        "80000000",
	} {
		b, err := hex.DecodeString(in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := lattice.DecodeCell(b); !errors.Is(err, lattice.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var zero lattice.Cell
	if got := zero.AppendBinary(nil); !slices.Equal(got, []byte{0, 0, 0}) {
		t.Errorf("the zero cell is %x", got)
	}
}
