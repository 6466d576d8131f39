package lattice_test

import (
	"fmt"
	"slices"

	"github.com/virga-mesh/virga/lattice"
)

// Two replicas of a key take operations at the same time, exchange deltas as
// bytes, and hold the same value.
func Example() {
	first, second := lattice.New(lattice.ORSetKind), lattice.New(lattice.ORSetKind)

	added, _ := lattice.Apply(first, lattice.AddOp("x", "y"), lattice.Write{Writer: "first"})
	first.Merge(added)
	second.Merge(added)

	removed, _ := lattice.Apply(first, lattice.RemoveOp("x", "y"), lattice.Write{Writer: "first"})
	again, _ := lattice.Apply(second, lattice.AddOp("y"), lattice.Write{Writer: "second"})

	arrived, err := lattice.Decode(removed.AppendBinary(nil))
	fmt.Println(err)
	second.Merge(again)
	second.Merge(arrived)
	first.Merge(removed)
	first.Merge(again)

	fmt.Println(slices.Collect(first.Elements()), slices.Collect(second.Elements()), first.Compare(second))
	// Output:
	// <nil>
	// [y] [y] equal
}

// A mismatch of kinds is an error that changes nothing.
func ExampleValue_Merge() {
	set, counter := lattice.New(lattice.SetKind), lattice.New(lattice.GCounterKind)
	grew, err := set.Merge(counter)
	fmt.Println(grew, err)
	// Output: false kinds differ: have set, got gcounter
}

// A cell deletes, and takes another kind afterwards.
func ExampleCell() {
	var cell lattice.Cell
	write := func(time uint64) lattice.Write {
		return lattice.Write{Stamp: lattice.Stamp{Time: time, Node: "n"}, Writer: "n"}
	}
	delta, _ := cell.Apply(lattice.SetKind, lattice.AddOp("x"), write(1))
	cell.Merge(delta)
	cell.Reset(write(2).Stamp)
	fmt.Println(cell.Deleted(), cell.Dominates(delta))

	delta, _ = cell.Apply(lattice.LWWKind, lattice.SetOp([]byte("now a register")), write(3))
	cell.Merge(delta)
	value, _ := cell.Value()
	payload, _ := value.Payload()
	fmt.Printf("%s: %s\n", value.Kind(), payload)
	// Output:
	// true true
	// lww: now a register
}

func ExampleOrderedSet_From() {
	set := lattice.NewOrderedSet("cirrus", "altus", "virga")
	set.Merge(lattice.NewOrderedSet("stratus"))
	fmt.Println(slices.Collect(set.From("c")))
	// Output: [cirrus stratus virga]
}
