package replica

import (
	"maps"
	"slices"

	"github.com/virga-mesh/virga/mesh"
)

// release says which partitions this node may drop: those that it does not
// own and that all their owners hold, just as this node does. It has no I/O
// and no clock.
type release struct {
	self      mesh.NodeID
	view      *ownership
	confirmed map[mesh.Partition]*confirmation
}

// confirmation is what owners said of a partition.
type confirmation struct {
	digest   uint64
	owners   []mesh.NodeID // those that hold all of it
	dropping bool
}

func newRelease(self mesh.NodeID) *release {
	return &release{self: self, view: &ownership{}, confirmed: map[mesh.Partition]*confirmation{}}
}

// View says who owns what now.
func (r *release) View(v *ownership) {
	r.view = v
	owned := v.of(r.self)
	for p := range owned.all() {
		delete(r.confirmed, p)
	}
}

// Confirmed says that a node holds all that this one held of a partition when
// it had a digest. That it is an owner may be known here later.
func (r *release) Confirmed(by mesh.NodeID, d partitionDigest) {
	owned := r.view.of(r.self)
	if owned.has(d.partition) {
		return
	}
	c := r.confirmed[d.partition]
	switch {
	case c != nil && c.dropping:
		return
	case c == nil || c.digest != d.digest:
		c = &confirmation{digest: d.digest}
		r.confirmed[d.partition] = c
	}
	if !slices.Contains(c.owners, by) {
		c.owners = append(c.owners, by)
	}
}

// Drops gives the partitions to drop if they still have the digest, and takes
// them as being dropped.
func (r *release) Drops() (drops []partitionDigest) {
	for _, p := range slices.Sorted(maps.Keys(r.confirmed)) {
		if c := r.confirmed[p]; !c.dropping && r.confirmedByAll(p, c) {
			c.dropping = true
			drops = append(drops, partitionDigest{p, c.digest})
		}
	}
	return drops
}

func (r *release) confirmedByAll(p mesh.Partition, c *confirmation) bool {
	owners := r.view.owners[p]
	for _, owner := range owners {
		if !slices.Contains(c.owners, owner) {
			return false
		}
	}
	return len(owners) > 0
}

// Dropped says that dropping a partition has ended. If it had changed, its
// owners have to confirm it anew.
func (r *release) Dropped(p mesh.Partition) { delete(r.confirmed, p) }
