package txn

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// commit is a transaction of which this node is the home.
type commit struct {
	*making
	ctx    context.Context // ends with the Txns, with the commit, or some time after its caller has gone
	cancel context.CancelFunc

	kept, wrote, sealed step
	ended               chan struct{}
	made                lattice.Past // once wrote

	// Guarded by Txns.mu.
	over  bool
	place bool // that the commit has in Txns.behind
	late  *time.Timer
}

// step is closed once it has been taken.
type step chan struct{}

func (s step) taken() bool {
	select {
	case <-s:
		return true
	default:
		return false
	}
}

// Commit makes writes together that depend on needs, at most MaxKeys of MaxBytes,
// and says which they were. It returns when all are with most of their owners.
// Values must not be changed any more.
//
// Errors: Invalid beyond the bounds, or with two writes of a key; KindMismatch
// where a key holds something that cannot be set; those of Store.Latest: nothing
// was written. Unavailable with several writes, once they have begun: all of them
// may take effect, or will, as the message says, else none. Of a single write
// those of Store.Write.
func (t *Txns) Commit(ctx context.Context, writes []Write, needs lattice.Past) (made lattice.Past, err error) {
	if err := check(writes); err != nil {
		return lattice.Past{}, err
	}
	switch len(writes) {
	case 0:
		return lattice.Past{}, nil
	case 1:
		return t.Store.Write(ctx, writes[0], lattice.Stamp{}, needs, true)
	}
	at, err := t.stamp(ctx, writes, needs)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return lattice.Past{}, mesh.AsError("commit", err)
	}
	c, err := t.begin(newRecord(at, needs, writes))
	if err != nil {
		return lattice.Past{}, err
	}
	return t.await(ctx, c)
}

// stamp draws the stamp of a transaction, later than what its keys bear and
// than what its run has seen.
func (t *Txns) stamp(ctx context.Context, writes []Write, needs lattice.Past) (lattice.Stamp, error) {
	var mu sync.Mutex
	latest := needs.Latest()
	err := each(writes, func(w Write) error {
		return t.attempt(ctx, func(ctx context.Context) error {
			at, err := t.Store.Latest(ctx, w)
			mu.Lock()
			defer mu.Unlock()
			latest = max(latest, at.Time)
			return err
		})
	})
	if err == nil {
		err = t.Observe(lattice.Stamp{Time: latest})
	}
	if err != nil {
		return lattice.Stamp{}, err
	}
	return t.Now(), nil
}

// begin has a transaction carried through.
func (t *Txns) begin(r *record) (*commit, error) {
	c := &commit{making: &making{record: r, t: t}, kept: make(step), wrote: make(step), sealed: make(step), ended: make(chan struct{})}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return nil, errClosed()
	case t.commits[r.at] != nil:
		return nil, mesh.Errorf(mesh.Internal, "commit", "the stamp %v was drawn twice", r.at)
	}
	c.ctx, c.cancel = context.WithCancel(t.ctx)
	t.commits[r.at] = c
	t.work.Go(func() {
		defer t.end(c)
		if err := c.carry(); err != nil {
			t.Log.Info("a transaction is left to others", "at", r.at.String(), "committed", c.kept.taken(), "err", err)
		}
	})
	return c, nil
}

// carry takes all steps.
func (c *commit) carry() error {
	if err := c.keep(c.ctx); err != nil {
		return err
	}
	close(c.kept)
	made, err := c.write(c.ctx)
	if err != nil {
		return err
	}
	c.made = made
	close(c.wrote)
	if err := c.seal(c.ctx, made); err != nil {
		return err
	}
	close(c.sealed)
	return c.drop(c.ctx)
}

func (t *Txns) end(c *commit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c.cancel()
	delete(t.commits, c.at)
	c.over = true
	if c.place {
		<-t.behind
	}
	if c.late != nil {
		c.late.Stop()
	}
	close(c.ended)
}

// await waits for what the caller of Commit is to know. When it returns the
// commit goes on alone if there is room for one more such; else it is left to others.
func (t *Txns) await(ctx context.Context, c *commit) (lattice.Past, error) {
	select {
	case <-c.wrote:
	case <-c.ended:
	case <-ctx.Done():
	}
	if c.wrote.taken() {
		t.makeRoom(ctx, c)
		return c.made, nil
	}
	kept, why := c.kept.taken(), cmp.Or(c.why(), ctx.Err(), c.ctx.Err())
	select {
	case t.behind <- struct{}{}:
		t.leave(c)
	default:
		c.cancel()
	}
	if kept {
		return lattice.Past{}, mesh.Errorf(mesh.Unavailable, "commit", "not all writes are made yet, and they will be made all the same: %w", why)
	}
	return lattice.Past{}, mesh.Errorf(mesh.Unavailable, "commit", "it is not known whether the record was kept, and the writes may take effect: %w", why)
}

// makeRoom waits until a commit that has written all can go on alone, or has
// ended, so that callers do not outrun commits. After a while it is left to others.
func (t *Txns) makeRoom(ctx context.Context, c *commit) {
	timer := time.NewTimer(t.Patience)
	defer timer.Stop()
	select {
	case t.behind <- struct{}{}:
		t.leave(c)
	case <-c.ended:
	case <-ctx.Done():
		c.cancel()
	case <-timer.C:
		c.cancel()
	}
}

// leave lets a commit go on for a while in the place that was just taken for it.
func (t *Txns) leave(c *commit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.over {
		<-t.behind
		return
	}
	c.place, c.late = true, time.AfterFunc(t.Linger, c.cancel)
}
