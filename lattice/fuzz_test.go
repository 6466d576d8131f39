package lattice_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/lattice/latticetest"
)

// histories gives values of every kind to start from.
func histories(f *testing.F) []lattice.Value {
	f.Helper()
	var values []lattice.Value
	rng := rand.New(rand.NewPCG(1, 2))
	for _, kind := range lattice.Kinds() {
		h := latticetest.NewHistory(kind, 2, rng)
		if err := h.Run(20); err != nil {
			f.Fatal(err)
		}
		values = append(values, h.Samples(4)...)
	}
	return values
}

// FuzzDecode: no bytes panic; what decodes encodes to the same bytes; and any
// two values that decode obey the laws, however they came about.
func FuzzDecode(f *testing.F) {
	values := histories(f)
	for i, v := range values {
		f.Add(v.AppendBinary(nil), values[max(0, i-1)].AppendBinary(nil))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		first, err := lattice.Decode(a)
		if err != nil {
			return
		}
		if !bytes.Equal(first.AppendBinary(nil), a) {
			t.Fatalf("%x decodes and encodes as %x", a, first.AppendBinary(nil))
		}
		readAll(first)
		samples := []lattice.Value{lattice.New(first.Kind()), first}
		if second, err := lattice.Decode(b); err == nil && mergeable(t, first, second) {
			samples = append(samples, second)
		}
		latticetest.Check(t, latticetest.Values(samples...), latticetest.DecodeValue)
	})
}

// mergeable tells whether two values merge, and checks that a refusal changes nothing.
func mergeable(t *testing.T, a, b lattice.Value) bool {
	clone := a.Clone()
	_, err := clone.Merge(b)
	if err != nil && clone.Compare(a) != lattice.Equal {
		t.Fatalf("a refused merge changed the value: %v", err)
	}
	return err == nil
}

// readAll reads what a value holds by every reader.
func readAll(v lattice.Value) {
	for range v.Elements() {
		break
	}
	for range v.Siblings() {
		break
	}
	v.Count()
	v.Clock()
	for _, field := range v.Fields() {
		readAll(field)
	}
}

func FuzzDecodeCell(f *testing.F) {
	for i, v := range histories(f) {
		cell := lattice.NewCell(lattice.Stamp{Time: uint64(i % 3)}, v)
		f.Add(cell.AppendBinary(nil), lattice.NewCell(lattice.Stamp{}, v).AppendBinary(nil))
		expiries := sampleExpiries()
		f.Add(cell.WithExpiry(expiries[i%len(expiries)]).AppendBinary(nil), cell.WithExpiry(expiries[1]).AppendBinary(nil))
		written, other := cell.Clone(), cell.WithExpiry(expiries[i%len(expiries)])
		written.AddCauses(deletedBy(1, i%3 == 0))
		other.AddCauses(deletedBy(uint64(1+i%2), i%5 == 0))
		f.Add(written.AppendBinary(nil), other.AppendBinary(nil))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		first, err := lattice.DecodeCell(a)
		if err != nil {
			return
		}
		if !bytes.Equal(first.AppendBinary(nil), a) {
			t.Fatalf("%x decodes and encodes as %x", a, first.AppendBinary(nil))
		}
		samples := []*latticetest.Cell{{Cell: first}}
		if second, err := lattice.DecodeCell(b); err == nil {
			clone := first.Clone()
			if _, err := clone.Merge(second); err == nil {
				samples = append(samples, &latticetest.Cell{Cell: second})
			}
		}
		latticetest.Check(t, samples, latticetest.DecodeCell)
	})
}

// FuzzDecodeOp: no bytes panic; what decodes encodes to the same bytes, prints,
// and applies to some kind or gives a typed error, by a delta that obeys its law.
func FuzzDecodeOp(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range everyOp {
		f.Add(c.op.AppendBinary(nil), uint64(0))
	}
	for _, kind := range lattice.Kinds() {
		f.Add(latticetest.RandomOp(kind, rng).AppendBinary(nil), uint64(kind))
	}
	f.Fuzz(func(t *testing.T, in []byte, seed uint64) {
		op, err := lattice.DecodeOp(in)
		if err != nil {
			return
		}
		if !bytes.Equal(op.AppendBinary(nil), in) {
			t.Fatalf("%x decodes and encodes as %x", in, op.AppendBinary(nil))
		}
		if op.String() == "" {
			t.Fatalf("%x prints as nothing", in)
		}
		kinds := lattice.Kinds()
		h := latticetest.NewHistory(kinds[seed%uint64(len(kinds))], 2, rand.New(rand.NewPCG(seed, 0)))
		if err := h.Run(int(seed % 8)); err != nil {
			t.Fatal(err)
		}
		delta, err := lattice.Apply(h.Replicas[0], op, lattice.Write{Writer: "w0"})
		if err != nil {
			return
		}
		if _, err := latticetest.ApplyChecked(h.Replicas[0], op, lattice.Write{Writer: "w0"}); err != nil {
			t.Fatal(err)
		}
		if delta.Kind() != h.Kind {
			t.Fatalf("the delta of a %s is a %s", h.Kind, delta.Kind())
		}
	})
}
