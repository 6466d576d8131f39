package latticetest

import "github.com/virga-mesh/virga/lattice"

// Value is a lattice.Value as a lattice.Lattice, for Check. All samples must
// be of one kind, down to the fields of maps.
type Value struct {
	lattice.Value
}

// Merge merges, and panics on a kind mismatch.
func (v *Value) Merge(other *Value) bool {
	grew, err := v.Value.Merge(other.Value)
	if err != nil {
		panic(err)
	}
	return grew
}

// Compare orders the values.
func (v *Value) Compare(other *Value) lattice.Order { return v.Value.Compare(other.Value) }

// Clone copies the value.
func (v *Value) Clone() *Value { return &Value{v.Value.Clone()} }

// DecodeValue is lattice.Decode.
func DecodeValue(b []byte) (*Value, error) {
	v, err := lattice.Decode(b)
	return &Value{v}, err
}

// Values makes samples for Check.
func Values(values ...lattice.Value) []*Value {
	out := make([]*Value, len(values))
	for i, v := range values {
		out[i] = &Value{v}
	}
	return out
}

// Cell is a lattice.Cell as a lattice.Lattice, for Check. Samples of equal
// resets must be of one kind.
type Cell struct {
	lattice.Cell
}

// Merge merges, and panics on a kind mismatch.
func (c *Cell) Merge(other *Cell) bool {
	grew, err := c.Cell.Merge(other.Cell)
	if err != nil {
		panic(err)
	}
	return grew
}

// Compare orders the cells.
func (c *Cell) Compare(other *Cell) lattice.Order { return c.Cell.Compare(other.Cell) }

// Clone copies the cell.
func (c *Cell) Clone() *Cell { return &Cell{c.Cell.Clone()} }

// DecodeCell is lattice.DecodeCell.
func DecodeCell(b []byte) (*Cell, error) {
	c, err := lattice.DecodeCell(b)
	return &Cell{c}, err
}
