package store

import "github.com/virga-mesh/virga/lattice"

// toWrite is what goes onto the disk for a delta that made a cell grow: the
// delta, or the whole cell in place of the record. The latter where a later
// birth has lifted the cell. Of the deltas in a record the engine merges some
// before others, and that a delete killed what came before it must not be
// forgotten on the way (lattice: birth).
func toWrite(had, has, delta lattice.Cell) (written lattice.Cell, whole bool) {
	if has.Born() && had.Began() != has.Began() && !had.IsZero() {
		return has, true
	}
	return delta, false
}
