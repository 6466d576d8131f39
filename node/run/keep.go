package run

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// keep starts a run whose record is kept: a future, or a run whose id the
// caller drew. It goes on when the caller leaves.
func (r *Runs) keep(ctx context.Context, q *Request, c *coordination) (Reply, error) {
	c.accepted = make(chan struct{})
	timeout := q.Timeout
	if deadline, ok := ctx.Deadline(); ok && timeout == 0 && !q.Future {
		timeout = max(time.Until(deadline), time.Nanosecond)
	}
	c.ctx, c.cancel = r.bounded(context.WithoutCancel(ctx), timeout)
	held, err := r.admit(c)
	if err != nil || held != c {
		c.cancel()
	}
	if err != nil {
		return Reply{}, err
	}
	if held == c && !r.spawn(c.own) {
		c.cancel()
		return Reply{}, errClosed()
	}
	return held.attach(ctx, q)
}

// attach waits for a run on behalf of one more caller: for its result, or
// for a future until its id may be told.
func (c *coordination) attach(ctx context.Context, q *Request) (Reply, error) {
	until, late := c.ended(), false
	if q.Future {
		until = c.accepted
	}
	select {
	case <-c.ended():
		late = true // for the first try to do something with the result
	default:
	}
	select {
	case <-until:
		if late {
			c.repair(ctx)
		}
	case <-ctx.Done():
		return Reply{}, mesh.Errorf(mesh.KindOf(ctx.Err()), "", "waiting for run %s: %w", c.id, ctx.Err())
	}
	if q.Future && !c.isRefused() {
		return Reply{ID: c.id}, nil
	}
	return c.reply()
}

// own is the life of a kept run: unless an earlier call settles it, its
// record is written before it begins and when it is over.
func (c *coordination) own() {
	defer c.runs.retire(c)
	if c.named && c.adopt() {
		c.concluded()
		return
	}
	if err := c.save(c.ctx); err != nil {
		c.refuse(err)
		c.concluded()
		return
	}
	c.accept()
	c.execute()
	c.concluded()
	if !c.isRefused() {
		c.saveResult()
	}
}

// saveResult writes the record of a run that is over.
func (c *coordination) saveResult() {
	ctx, cancel := context.WithTimeout(c.runs.ctx, saveTimeout)
	defer cancel()
	if err := c.save(ctx); err != nil {
		c.runs.cfg.Log.Warn("the result of a run is not kept; only its coordinator has it", "run", c.id, "err", err)
	}
}

// saveTimeout bounds the writing of a result.
const saveTimeout = 10 * time.Second

// accept lets the run's id be told. Only the owner calls it.
func (c *coordination) accept() {
	select {
	case <-c.accepted:
	default:
		close(c.accepted)
	}
}

// refuse ends a run that cannot be taken on. Nothing of it has run. Only the
// owner calls it.
func (c *coordination) refuse(err error) {
	c.abandon(err)
	c.accept()
}

// abandon ends a run that is not over without that being its end: whoever
// has its id may begin it again.
func (c *coordination) abandon(err error) {
	c.mu.Lock()
	e := c.tracker.fail(err)
	c.refused = c.refused || e.answer
	c.mu.Unlock()
	c.do(e)
}

func (c *coordination) isRefused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused
}

func (c *coordination) save(ctx context.Context) error {
	return c.runs.cfg.Results.Save(ctx, c.id, c.record(), c.runs.cfg.ResultTTL)
}

// adopt looks whether the run was begun before, on this node or another. It
// reports whether that settles it; if not, the run is to be made here.
func (c *coordination) adopt() bool {
	earlier, err := c.runs.cfg.Results.Load(c.ctx, c.id)
	switch {
	case mesh.KindOf(err) == mesh.NotFound && err != nil:
		return false
	case err != nil:
		c.refuse(err)
		return true
	case earlier.conclusive():
		c.settle(earlier)
		return true
	}
	c.accept()
	if !earlier.ended() && c.follow(earlier) {
		return true
	}
	c.beginAgain(earlier)
	return false
}

// follow waits for the coordinator that began the run, and reports whether
// that settles it: not if that one is gone, has lost the run, or could not
// end it for want of nodes, time or room.
func (c *coordination) follow(earlier Record) bool {
	if earlier.Coordinator != c.runs.cfg.Self {
		r, err := c.runs.ask(c.ctx, earlier.Coordinator, c.id, false)
		switch kind := mesh.KindOf(err); {
		case err == nil && r.conclusive():
			c.settle(r)
			return true
		case err != nil && kind != mesh.Unavailable && kind != mesh.NotFound:
			c.refuse(err)
			return true
		}
	}
	return false
}

// beginAgain makes the run follow an earlier beginning of it, of which some
// may have been executed: at least once is all that is promised.
func (c *coordination) beginAgain(earlier Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.first = earlier.Attempt + MaxAttempts
	if !earlier.Began.IsZero() {
		c.began = earlier.Began.Add(-clockSkew)
	}
	c.work = c.work.Again(c.began)
	c.work.Since = earlierOf(c.work.Since, c.began)
}

// clockSkew is by how much the clocks of two coordinators may differ before
// the age of a run is told too low.
const clockSkew = 2500 * time.Millisecond

func earlierOf(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// settle ends the run as a record says.
func (c *coordination) settle(r Record) {
	c.mu.Lock()
	open := c.tracker.phase != over
	if open {
		c.settled, c.tracker.phase = &r, over
	}
	c.mu.Unlock()
	if open {
		c.do(effect{answer: true})
	}
	c.accept()
}
