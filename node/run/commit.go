package run

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// A run at mesh.Transactional that began its session commits it when all sinks
// have ended, before it is over and anyone is told. Where what it had read is
// no longer one moment, nothing was made, and the run begins anew, as another
// generation: in another session, with attempts of higher numbers, so that
// nothing is taken over from the one before.
//
// A run at mesh.Repeatable has nothing to commit. Where stages beside one another
// may have read two versions of a key it is verified, and may begin anew, too.

// anewAfter is the pause before a run begins anew: those that were in each
// other's way are to be so no longer. mesh.MaxGenerations pauses are some half
// a second at most.
var anewAfter = mesh.Retry{Backoff: 5 * time.Millisecond, Longest: 200 * time.Millisecond}

// concludes reports whether something has to be done at the end of a run: own says that
// it began its session.
func (g *graph) concludes(own bool, in mesh.Session) bool {
	return own && (in.Level == mesh.Transactional || in.Level == mesh.Repeatable && g.parts())
}

// stop ends what still runs here though all sinks have ended: the owner may be
// among those who run it.
func (c *coordination) stop() {
	c.mu.Lock()
	s := c.share
	c.mu.Unlock()
	if s != nil {
		s.drop()
	}
}

// commit makes what the run has written, and ends it by that or has it begin
// anew. Of a run of which a stage has failed nothing is made; it begins anew if
// what stages have read may be why.
func (c *coordination) commit() {
	c.mu.Lock()
	failed := c.tracker.failure != nil
	c.mu.Unlock()
	conclude := c.runs.cfg.Sessions.Commit
	if failed || c.in.Level != mesh.Transactional {
		conclude = c.runs.cfg.Sessions.Verify
	}
	err := conclude(c.ctx, c.in)
	switch {
	case err == nil:
		c.committed()
	case mesh.KindOf(err) == mesh.Conflict:
		c.beginAnew(err)
	case c.ctx.Err() != nil:
		c.fail(c.expired())
	default:
		c.fail(err)
	}
}

// beginAnew ends the generation that could not commit, here and elsewhere, and
// has the run planned again in a new session.
func (c *coordination) beginAnew(conflict error) {
	c.runs.counts.conflicts.Add(1)
	c.mu.Lock()
	e := c.tracker.conflicted(conflict)
	c.charge() // less than before
	times := c.tracker.generation
	c.mu.Unlock()
	if e.end == nil || e.answer {
		c.do(e)
		return
	}
	if times == 1 {
		c.runs.counts.anew.Add(1)
	}
	c.end(e.end)
	c.leave()
	in, err := c.runs.sessionAnew(c.ctx, c.in, times)
	switch c.in = in; {
	case c.ctx.Err() != nil:
		c.fail(c.expired())
	case err != nil:
		c.fail(err)
	default:
		c.do(e)
	}
}

// leave parts with this node's share of a generation that has been ended.
func (c *coordination) leave() {
	c.mu.Lock()
	spread := c.share != nil && !c.share.alone
	c.share, c.over = nil, nil
	c.mu.Unlock()
	if spread {
		c.runs.watchedOver()
	}
}

// sessionAnew gives the session of the next generation, the nth after the
// first, once that may begin. After an error it has to be ended as well.
func (r *Runs) sessionAnew(ctx context.Context, in mesh.Session, n int) (mesh.Session, error) {
	next, err := r.cfg.Sessions.Again(ctx, in)
	if err == nil && !pause(ctx, backoff(anewAfter, n)) {
		err = ctx.Err()
	}
	return next, err
}

// commitHere is callHere for a function whose session this run began.
func (r *Runs) commitHere(ctx context.Context, q *Request, t piece) (Reply, error) {
	defer func() { r.cfg.Sessions.End(t.in) }()
	began := time.Now()
	if !t.work.Named() { // what it does beside its writes is done once
		t.work.ID = t.id.Run
		t.work = t.work.Part(t.id.Stage)
	}
	for n := 1; ; n++ {
		execution := t
		v, err := r.executeHere(ctx, q, &execution)
		if err != nil {
			return Reply{}, err
		}
		err = r.cfg.Sessions.Commit(ctx, t.in)
		if err == nil {
			return r.tell(ctx, q, Reply{ID: t.id.Run, Results: []StageResult{{t.id.Stage, v}}})
		}
		if mesh.KindOf(err) != mesh.Conflict {
			return Reply{}, err
		}
		r.counts.conflicts.Add(1)
		if n == mesh.MaxGenerations {
			return Reply{}, conflicting(err)
		}
		if n == 1 {
			r.counts.anew.Add(1)
		}
		if t.in, err = r.sessionAnew(ctx, t.in, n); err != nil {
			return Reply{}, err
		}
		t.id.Attempt += mesh.GenerationAttempts
		t.work = t.work.Again(began)
	}
}
