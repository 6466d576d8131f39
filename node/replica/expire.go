package replica

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// Bounds of one look for keys that have expired.
const (
	expiryPage    = 512 // records looked at
	expiresAtOnce = 16  // keys dealt with at the same time
)

// expire deletes keys that have expired, until the context ends.
func (r *Replica) expire(ctx context.Context) {
	state := &expiries{
		grace: r.ExpiryGrace, takeover: r.ExpiryTakeover, pause: r.ExpiryInterval, longest: r.ExpiryTakeover,
		due: time.Now().Add(r.ExpiryInterval),
	}
	timer := time.NewTimer(r.ExpiryInterval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		r.expirePage(ctx, state)
		timer.Reset(time.Until(state.Due()))
	}
}

// expirePage looks at one page of what has expired.
func (r *Replica) expirePage(ctx context.Context, state *expiries) {
	after, by := state.Look(time.Now())
	expired, last, more, err := r.Local.Expired(ctx, after, by, expiryPage)
	if err != nil {
		if ctx.Err() == nil {
			r.Log.Warn("cannot tell what has expired", "err", err)
		}
		state.Unseen(time.Now())
		return
	}
	found := make([]lapsed, len(expired))
	for i, e := range expired {
		found[i] = lapsed{e, slices.Index(r.owners(e.Key), r.Self)}
	}
	doomed := state.Found(found, last, more, time.Now())
	failed := r.expireKeys(ctx, doomed)
	state.Deleted(len(doomed)-failed, failed, time.Now())
}

// expireKeys deletes keys that have expired, and reports how many it could not.
func (r *Replica) expireKeys(ctx context.Context, keys []mesh.Key) (failed int) {
	errs := make([]error, len(keys))
	var group errgroup.Group
	group.SetLimit(expiresAtOnce)
	for i, key := range keys {
		group.Go(func() error {
			errs[i] = r.expireKey(ctx, key)
			return nil
		})
	}
	_ = group.Wait() // errs has the errors
	for i, err := range errs {
		if err != nil {
			failed++
			r.Log.Debug("an expired key is not deleted yet", "key", keys[i].String(), "err", err)
		}
	}
	return failed
}

// expireKey deletes a key if it has expired for so many owners that one of
// them has every acknowledged write.
func (r *Replica) expireKey(ctx context.Context, key mesh.Key) error {
	ctx, cancel := context.WithTimeout(ctx, 2*r.AttemptTimeout)
	defer cancel()
	c := change{key: key, expires: true}
	q, err := r.writeQuorum(c, 0)
	if err != nil {
		return err
	}
	began := time.Now()
	stands, err := r.lookUp(ctx, key)
	switch {
	case err != nil:
		return err
	case !stands.Expired(time.Now):
		return nil // it was extended, written or deleted elsewhere, and this node knows now
	case time.Since(began) > r.ExpiryGrace/2:
		return mesh.Errorf(mesh.DeadlineExceeded, c.String(), "the look took %v: expected at most %v", time.Since(began), r.ExpiryGrace/2)
	}
	if _, err := r.coordinate(ctx, c, q, r.Durability, &recentWrite{}); err != nil {
		if errors.Is(err, errNotExpired) {
			return nil
		}
		return err
	}
	r.expired.Add(1)
	return nil
}

// errNotExpired is that a key was written or extended since it was looked at.
var errNotExpired = mesh.Errorf(mesh.Conflict, "expire", "the key has not expired any more")

// expireLocal deletes this node's copy of a key if it has expired, and of its parts.
func (r *Replica) expireLocal(ctx context.Context, key mesh.Key) (lattice.Cell, mesh.Merged, error) {
	_, divided, err := r.baseState(key)
	if err != nil {
		return lattice.Cell{}, mesh.Merged{}, err
	}
	delta, merged, err := r.Local.Change(ctx, key, mesh.Memory, func(have lattice.Cell, at lattice.Write) (lattice.Cell, error) {
		if !have.Expired(func() time.Time { return at.Now }) {
			return lattice.Cell{}, errNotExpired
		}
		return have.Expire(), nil
	})
	if err == nil && divided {
		err = r.sweep(ctx, key, delta.ResetAt())
	}
	return delta, merged, err
}

// beginAnew makes way for a write to a key that has expired here, unless it
// was extended or written elsewhere.
func (r *Replica) beginAnew(ctx context.Context, key mesh.Key) error {
	if err := r.gather(ctx, key, r.lookQuorum(len(r.knownOwners(key)))); err != nil {
		return mesh.AsError("put "+key.String(), err)
	}
	if _, _, err := r.expireLocal(ctx, key); !errors.Is(err, errNotExpired) {
		return err
	}
	return nil
}

// Expirations is how many keys this node has deleted for having expired since
// it was started.
func (r *Replica) Expirations() int64 { return r.expired.Load() }
