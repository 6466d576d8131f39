package replica

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// ownCopy is what this node holds of a key.
type ownCopy struct {
	held    bool // deleted or not
	expired bool
	expires time.Time // when it does, or did; zero: never
}

func (r *Replica) copyOf(key mesh.Key) (own ownCopy, err error) {
	own.held, err = r.Local.View(key, func(cell *lattice.Cell) {
		own.expires, _ = cell.ExpiresAt()
		own.expired = cell.Expired(time.Now)
	})
	return own, err
}

// gather merges into this node's copy what so many owners hold. Where that
// does not exist, so many must say so that no acknowledged write is unseen.
func (r *Replica) gather(ctx context.Context, key mesh.Key, quorum int) error {
	cell, _, err := r.readQuorum(ctx, key, quorum)
	if err != nil || cell.IsZero() {
		return err
	}
	_, err = r.mergeWhole(ctx, key, cell, mesh.Logged)
	return err
}

// lookUp gathers from so many owners that one of them has every write that
// was acknowledged with the default quorum, and gives this node's copy.
func (r *Replica) lookUp(ctx context.Context, key mesh.Key) (lattice.Cell, error) {
	if err := r.gather(ctx, key, r.lookQuorum(len(r.knownOwners(key)))); err != nil {
		return lattice.Cell{}, err
	}
	cell, _, err := r.Local.Get(key)
	return cell, err
}
