package replica

import (
	"slices"

	"github.com/virga-mesh/virga/mesh"
)

// quorum says who gets a write and how many must hold it before it is
// answered. The owners are those that live; some of them may stand in for
// others that are away. Whoever says that a key does not exist has heard so
// many of its known owners that fewer than WriteQuorum of these are left, so a
// write counts only once WriteQuorum of the known owners hold it: what those
// hold who stand in is more, and not instead.
type quorum struct {
	owners  []mesh.NodeID // the live nodes closest to the key
	known   []mesh.NodeID // the closest of all that live or are missing
	need    int           // how many of the owners must hold the write
	ofKnown int           // how many of these must be known owners
}

// writeQuorum is the quorum of a write that asks for some number, 0 for the
// default. Fewer than the default may be any owners. A quorum that cannot be
// reached is mesh.Unavailable.
func (r *Replica) writeQuorum(c change, asked int) (quorum, error) {
	if asked < 0 || asked > r.Replicas {
		return quorum{}, mesh.Errorf(mesh.Invalid, c.String(), "write quorum %d: expected 1 to %d, the number of owners", asked, r.Replicas)
	}
	p := c.key.Partition()
	q := quorum{owners: r.Placement.PartitionOwners(p, r.Replicas), known: r.Placement.KnownOwners(p, r.Replicas)}
	safe := max(1, min(r.WriteQuorum, len(q.known)))
	if q.need = asked; asked == 0 {
		q.need = safe
	}
	if q.need >= safe {
		q.ofKnown = safe
	}
	return q, q.reachable(c)
}

// ofMost raises a quorum to most of the known owners.
func (q quorum) ofMost(c change) (quorum, error) {
	q.ofKnown = max(q.ofKnown, len(q.known)/2+1)
	q.need = max(q.need, q.ofKnown)
	return q, q.reachable(c)
}

// reachable is nil if the quorum can be reached with the nodes that live.
func (q quorum) reachable(c change) error {
	if q.need > len(q.owners) {
		return mesh.Errorf(mesh.Unavailable, c.String(), "%d owners must hold the write, %d live", q.need, len(q.owners))
	}
	if living := among(q.owners, q.known); living < q.ofKnown {
		return mesh.Errorf(mesh.Unavailable, c.String(), "%d of %d owners must hold the write, and of these %d live: others only stand in", q.ofKnown, len(q.known), living)
	}
	return nil
}

// among is how many of some nodes are known owners; the others stand in for such.
func among(nodes, known []mesh.NodeID) (n int) {
	for _, id := range nodes {
		if slices.Contains(known, id) {
			n++
		}
	}
	return n
}

func (q quorum) isKnown(node mesh.NodeID) bool { return slices.Contains(q.known, node) }

// lookQuorum is how many of so many known owners must answer for a look to see
// what was acknowledged with the default quorum.
func (r *Replica) lookQuorum(known int) int {
	return max(1, known-min(r.WriteQuorum, known)+1)
}
