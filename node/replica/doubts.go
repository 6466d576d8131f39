package replica

import (
	"context"
	"slices"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// doubts are this node's own writes that it may hold alone: those that too few
// owners acknowledged, and, since none of that is remembered, those from before
// it was started.
type doubts struct {
	now  func() lattice.Stamp // nil: there are none
	upTo uint64               // lattice.Stamp.Time of the last one, at most
	firm map[mesh.Key]uint64  // what most owners hold all the same
}

// maxFirm bounds those that are remembered. Others are asked about once more.
const maxFirm = 1 << 16

// raise takes all that was written until now for doubtful.
func (d *doubts) raise() {
	if d.now != nil {
		d.upTo = d.now().Time
	}
}

// has reports whether a write of a key is none of them.
func (d *doubts) has(key mesh.Key, time uint64) bool { return time > d.upTo || time <= d.firm[key] }

// clear notes that most owners hold what this node wrote of a key up to a time.
func (d *doubts) clear(key mesh.Key, time uint64) {
	if time == 0 || d.has(key, time) {
		return
	}
	if d.firm == nil || len(d.firm) >= maxFirm {
		d.firm = map[mesh.Key]uint64{}
	}
	d.firm[key] = time
}

// IsFirm reports whether what Read gave of a key, of its partition, is with so many owners that who
// asks most of them sees it, as far as this node knows by itself: a run that has
// seen it may go on elsewhere. It waits for the outcome of this node's own writes.
//
// What another owner made is with two of them, that one and this; so with more
// than three owners the word is good while no two of them are lost at once.
func (r *Replica) IsFirm(ctx context.Context, key mesh.Key, part mesh.Partition, read *Reading) bool {
	if own := read.Made.OfMarked(r.mark); own > 0 && !r.flights.isFirm(ctx, key, own) {
		return false
	}
	known := r.Placement.KnownOwners(part, r.Replicas)
	return slices.Equal(known, r.Placement.PartitionOwners(part, r.Replicas)) || r.isOfOwners(known, read)
}

// isOfOwners reports, where some owners are away and others may stand in for them,
// whether two owners are most, and this node one, and whoever made what was read.
func (r *Replica) isOfOwners(known []mesh.NodeID, read *Reading) bool {
	if read.Made.IsZero() {
		return true // nothing depends on it
	}
	if len(known) > 3 || !slices.Contains(known, r.Self) {
		return false
	}
	for maker := range read.Made.All() {
		if !slices.ContainsFunc(known, func(id mesh.NodeID) bool { return lattice.Marked(string(id)) == maker }) {
			return false
		}
	}
	return true
}
