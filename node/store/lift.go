package store

import "github.com/virga-mesh/virga/lattice"

// liftedBy reports whether a later birth has lifted a cell, as it is now. Then
// the whole cell is written in place of its record. Of the deltas in a record
// the engine merges some before others, and that a delete killed what came
// before it must not be forgotten on the way (lattice: birth).
func (before state) liftedBy(now *lattice.Cell) bool {
	return before.held && now.Born() && before.began != now.Began()
}
