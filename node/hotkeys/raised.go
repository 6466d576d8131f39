package hotkeys

import (
	"maps"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// raised is what the primaries said of their keys: a map of last-writer-wins
// registers, each of which ends with its lease. Nodes that heard the same, in
// whatever order and however often, hold the same.
type raised map[mesh.Key]raise

// raise is the word of a primary. Extra may be 0: that replaces an earlier said.
type raise struct {
	extra int
	stamp lattice.Stamp
	until time.Time // by the clock of the node that holds it
}

// Merge takes a word in, and reports whether it is news: the lease of what
// was known is not.
func (r raised) Merge(key mesh.Key, said raise) bool {
	known, has := r[key]
	if has && !said.stamp.After(known.stamp) {
		return false
	}
	if !has && len(r) >= maxRaised {
		return false
	}
	r[key] = said
	return known.extra != said.extra
}

// Expire forgets the words whose lease has ended, and reports whether one of them counted.
func (r raised) Expire(now time.Time) (counted bool) {
	maps.DeleteFunc(r, func(_ mesh.Key, said raise) bool {
		ended := !now.Before(said.until)
		counted = counted || ended && said.extra > 0
		return ended
	})
	return counted
}

// Extra gives the keys with extra readers, and how many.
func (r raised) Extra() map[mesh.Key]int {
	extra := make(map[mesh.Key]int, len(r))
	for key, said := range r {
		if said.extra > 0 {
			extra[key] = said.extra
		}
	}
	return extra
}
