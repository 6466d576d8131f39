package lattice_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/virga-mesh/virga/lattice"
)

const million = 1_000_000

// largeSet is a value of a million elements.
func largeSet(b *testing.B, kind lattice.Kind) lattice.Value {
	b.Helper()
	elements := make([]string, million)
	for i := range elements {
		elements[i] = fmt.Sprintf("element-%08d", i)
	}
	set := lattice.New(kind)
	apply(b, &set, lattice.AddOp(elements...))
	return set
}

func apply(b *testing.B, v *lattice.Value, op lattice.Op) {
	delta, err := lattice.Apply(*v, op, lattice.Write{Writer: "writer"})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := v.Merge(delta); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSetMillionMergeOne merges deltas of one new element each.
func BenchmarkSetMillionMergeOne(b *testing.B) {
	for _, kind := range []lattice.Kind{lattice.SetKind, lattice.OrderedSetKind, lattice.ORSetKind} {
		b.Run(kind.String(), func(b *testing.B) {
			set := largeSet(b, kind)
			deltas := make([]lattice.Value, 4096)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				if i%len(deltas) == 0 {
					b.StopTimer()
					newElements(deltas, kind, i)
					b.StartTimer()
				}
				if _, err := set.Merge(deltas[i%len(deltas)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// newElements makes deltas of one element each, all from one writer, spread over the range.
func newElements(deltas []lattice.Value, kind lattice.Kind, from int) {
	writer := lattice.New(kind)
	for i := range deltas {
		n := (from + i) * 7919 % (1 << 26)
		delta, err := lattice.Apply(writer, lattice.AddOp(fmt.Sprintf("element-%08x", n)), lattice.Write{Writer: fmt.Sprint("writer-", from)})
		if err != nil {
			panic(err)
		}
		if _, err := writer.Merge(delta); err != nil {
			panic(err)
		}
		deltas[i] = delta
	}
}

func BenchmarkORSetMillionAddRemove(b *testing.B) {
	set := largeSet(b, lattice.ORSetKind)
	apply(b, &set, lattice.RemoveOp("element-00000000")) // builds the index
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		element := fmt.Sprintf("element-%08d-new", i%1000)
		apply(b, &set, lattice.AddOp(element))
		apply(b, &set, lattice.RemoveOp(element))
	}
}

func BenchmarkORSetSmallAddRemove(b *testing.B) {
	set := lattice.New(lattice.ORSetKind)
	apply(b, &set, lattice.AddOp("a", "b", "c", "d"))
	add, remove := lattice.AddOp("e"), lattice.RemoveOp("e")
	b.ReportAllocs()
	for b.Loop() {
		apply(b, &set, add)
		apply(b, &set, remove)
	}
}

// smallLWW is a register of 100 bytes.
func smallLWW(b *testing.B) lattice.Value {
	b.Helper()
	v := lattice.New(lattice.LWWKind)
	delta, err := lattice.Apply(v, lattice.SetOp(make([]byte, 100)), lattice.Write{Stamp: lattice.Stamp{Time: 1 << 56, Node: "12D3KooWnode"}})
	if err != nil {
		b.Fatal(err)
	}
	return delta
}

func BenchmarkLWWRead(b *testing.B) {
	v := smallLWW(b)
	b.ReportAllocs()
	for b.Loop() {
		if payload, ok := v.Payload(); !ok || len(payload) != 100 {
			b.Fatal("payload lost")
		}
	}
}

func BenchmarkLWWMerge(b *testing.B) {
	v, delta := smallLWW(b), smallLWW(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Merge(delta); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCellLWWEncode(b *testing.B) {
	cell := lattice.NewCell(lattice.Stamp{}, smallLWW(b))
	dst := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		dst = cell.AppendBinary(dst[:0])
	}
}

func BenchmarkCellLWWDecode(b *testing.B) {
	encoded := lattice.NewCell(lattice.Stamp{}, smallLWW(b)).AppendBinary(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := lattice.DecodeCell(encoded); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCellLWWApply(b *testing.B) {
	cell := lattice.NewCell(lattice.Stamp{}, smallLWW(b))
	op := lattice.SetOp(make([]byte, 100))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := cell.Apply(lattice.LWWKind, op, lattice.Write{Stamp: lattice.Stamp{Time: 1 << 57}}); err != nil {
			b.Fatal(err)
		}
	}
}

// A counter that three writers count in, of which each has so many writes
// under way: an increment, its way to another replica, and reading what that has.
func BenchmarkCounterHot(b *testing.B) {
	for _, open := range []int{0, 1, 128} {
		b.Run(fmt.Sprint(open, " open"), func(b *testing.B) {
			one, other := lattice.New(lattice.GCounterKind), lattice.New(lattice.GCounterKind)
			firm := map[lattice.WriteID]int{}
			made := 0
			fate := func(id lattice.WriteID) lattice.Fate {
				if firm[id] > made-3*open {
					return lattice.FateOpen
				}
				return lattice.FateFirm
			}
			b.ReportAllocs()
			for b.Loop() {
				made++
				var id lattice.WriteID
				if open > 0 {
					binary.BigEndian.PutUint64(id[:], uint64(made))
					firm[id] = made
				}
				delta, err := lattice.Apply(one, lattice.IncOp(1), lattice.Write{Writer: hotWriters[made%3], ID: id, Fate: fate})
				if err != nil {
					b.Fatal(err)
				}
				for _, v := range []*lattice.Value{&one, &other} {
					if _, err := v.Merge(delta); err != nil {
						b.Fatal(err)
					}
				}
				if n, _ := other.Count(); n != int64(made) {
					b.Fatal(n)
				}
			}
			b.ReportMetric(float64(len(other.AppendBinary(nil))), "bytes")
		})
	}
}

var hotWriters = [3]string{"aaaa-8-bytes", "bbbb-8-bytes", "cccc-8-bytes"}
