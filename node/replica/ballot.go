package replica

import (
	"slices"

	"github.com/virga-mesh/virga/mesh"
)

// ballot decides whether a key that nobody was seen to hold does not exist.
// Those who may say so are the nodes closest to it of all that are known, live
// or missing: a write that was acknowledged is at WriteQuorum of them, so no
// more of them than that less one may be silent.
type ballot struct {
	known  []mesh.NodeID
	silent int // how many may be
	heard  int // how many have answered
	last   error
}

func (r *Replica) newBallot(key mesh.Key) *ballot {
	return &ballot{known: r.knownOwners(key), silent: r.WriteQuorum - 1}
}

// count notes an answer. That the cells of all answers together hold no value
// is for the caller to see.
func (b *ballot) count(a answer) {
	switch {
	case a.err != nil:
		b.last = a.err
	case a.counts() && slices.Contains(b.known, a.owner):
		b.heard++
	}
}

// verdict is nil if the key does not exist.
func (b *ballot) verdict() error {
	silent := len(b.known) - b.heard
	switch {
	case b.heard > 0 && silent <= b.silent:
		return nil
	case b.last != nil:
		return mesh.Errorf(mesh.Unavailable, "", "%d of %d owners of the key are away or cannot tell yet whether it exists: %w", silent, len(b.known), b.last)
	}
	return mesh.Errorf(mesh.Unavailable, "", "%d of %d owners of the key are away or cannot tell yet whether it exists", silent, len(b.known))
}
