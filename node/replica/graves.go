package replica

import (
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// graves decides when the marks of deletes that this node proposes are
// forgotten. It has no I/O and no clock: the time is told to it.
//
// A mark is old enough after a while that no client, debt or clock bridges.
// Then all members of the mesh are asked whether they hold it or nothing of
// the key, and owe nobody anything of it. When they have said so twice, in
// one and the same view, with so much time between that whatever was on its
// way when they said so first has arrived or never will, nothing older than
// the mark is left in the mesh: then all forget it.
type graves struct {
	graveRules
	view   uint64
	agreed map[mesh.Key]agreement
}

// graveRules are the times that the decisions depend on.
type graveRules struct {
	after    time.Duration // the age from which on a mark is proposed, by the closest owner
	takeover time.Duration // and so much later by the next, and so on
	settle   time.Duration // between the first and the second time that all agree
	bound    int           // of marks that all agreed upon once
}

// agreement is when all members first agreed to forget a mark.
type agreement struct {
	digest uint64
	at     time.Time
}

func newGraves(rules graveRules) *graves {
	return &graves{graveRules: rules, agreed: map[mesh.Key]agreement{}}
}

// View tells which view holds now: what was agreed upon in another is void.
func (g *graves) View(view uint64) {
	if view != g.view {
		g.view = view
		clear(g.agreed)
	}
}

// Old reports whether a mark is so old that it may be forgotten at all.
func (g *graves) Old(since lattice.Stamp, now time.Time) bool { return g.Due(since, 0, now) }

// Due reports whether this node is to propose a mark, if so many nodes come
// before it: the owners in their order, then all others.
func (g *graves) Due(since lattice.Stamp, before int, now time.Time) bool {
	return now.Sub(since.Physical()) >= g.after+time.Duration(before)*g.takeover
}

// Ripe reports whether all members agreed upon a mark long enough ago to ask
// them the second time.
func (g *graves) Ripe(mark mesh.Tombstone, now time.Time) bool {
	first, ok := g.agreed[mark.Key]
	return ok && first.digest == mark.Digest && now.Sub(first.at) >= g.settle
}

// Agreed notes that all members agreed to forget a mark. Later times change nothing.
func (g *graves) Agreed(mark mesh.Tombstone, now time.Time) {
	first, ok := g.agreed[mark.Key]
	if ok && first.digest == mark.Digest || !ok && len(g.agreed) >= g.bound {
		return
	}
	g.agreed[mark.Key] = agreement{mark.Digest, now}
}

// Over forgets what was agreed upon a key: a member refused, or the mark is gone.
func (g *graves) Over(key mesh.Key) { delete(g.agreed, key) }
