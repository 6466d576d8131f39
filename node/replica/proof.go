package replica

import (
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// proof finds out when a write is firm: so many of the known owners have it
// that whoever is asked to make it again, and may, asks one of them. They must
// have had it before anybody asked them, and this node must have been the
// first to make it.
type proof struct {
	fates   keyFates
	id      lattice.WriteID
	missing int // owners; 0: it is firm, or cannot be
}

func (r *Replica) proofOf(c change, w *recentWrite, q quorum) proof {
	p := proof{fates: r.fates.under(c.key), id: w.counts}
	if w.first {
		p.missing = r.lookQuorum(len(q.known))
	}
	return p
}

// Holds says that an owner holds the delta of a write that was not applied anew since.
func (p *proof) Holds(w *write, owner mesh.NodeID) {
	if p.missing == 0 || w.outcome == again || !w.isKnown(owner) {
		return
	}
	if p.missing--; p.missing == 0 {
		p.fates.Note(p.id, true, time.Now())
	}
}
