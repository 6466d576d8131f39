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
	if !c.takeOn() {
		c.concluded()
		close(c.told)
		return
	}
	c.accept()
	c.execute()
	c.concluded()
	switch {
	case c.isRefused():
		close(c.told)
	case c.named:
		c.decide()
		close(c.told)
	default: // nobody else can have the run
		close(c.told)
		c.saveResult()
	}
}

// takeOn keeps the record of a run that begins here. It has not begun if it
// is settled by an earlier call, or refused.
func (c *coordination) takeOn() bool {
	if c.named {
		return c.claim()
	}
	err := c.save(c.ctx)
	if err != nil {
		c.refuse(err)
	}
	return err == nil
}

// ended is closed when the run is over, and its result and its record where
// they should be.
func (c *coordination) ended() <-chan struct{} {
	if c.named || c.after != nil {
		return c.told
	}
	return c.done
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
