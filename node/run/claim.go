package run

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// A run whose id its caller drew may be called at several nodes, also at the
// same moment. It belongs to whoever changes its record, by compare-and-set: to
// begin it, to go on where another coordinator is gone, and to end it. So one
// node at a time runs it, and all callers are told one end.

// How long a record is tried to be changed while its owners cannot be reached.
// A dead one is noticed within some two seconds.
const (
	claimPatience = 4 * time.Second
	claimPause    = 100 * time.Millisecond
)

// claim makes the run this node's. Not if it is another's, whose end is
// then this run's too, or was ended before, or is refused.
func (c *coordination) claim() (mine bool) {
	until := time.Now().Add(claimPatience)
	for first := true; ; first = false {
		err := c.swap(c.ctx)
		kind := mesh.KindOf(err)
		switch {
		case err == nil:
			return true
		case kind != mesh.Conflict && kind != mesh.Unavailable:
			c.refuse(err)
			return false
		}
		settled, mine := c.look()
		if settled || mine {
			return mine
		}
		if first {
			continue
		}
		if time.Now().After(until) || !pause(c.ctx, claimPause) {
			c.refuse(mesh.Errorf(mesh.Unavailable, "", "whether others run it cannot be told: %w", err))
			return false
		}
	}
}

// look reads what is kept of the run, and heeds it: it waits for another
// coordinator that has the run. Neither settled nor mine: it is to be claimed
// over what was read.
func (c *coordination) look() (settled, mine bool) {
	earlier, version, err := c.runs.cfg.Results.Load(c.ctx, c.id)
	c.version = version
	switch {
	case err != nil: // there is none, or it cannot be told
		return false, false
	case earlier.conclusive():
		c.settle(earlier)
		return true, false
	case c.isOwn(&earlier):
		return false, version != ""
	}
	c.accept()
	if !earlier.ended() && earlier.Coordinator != c.runs.cfg.Self {
		record, ended, err := c.follow(c.ctx, earlier)
		switch {
		case err != nil:
			c.refuse(err)
			return true, false
		case ended:
			c.settle(record)
			return true, false
		}
	}
	c.beginAgain(earlier)
	return false, false
}

// isOwn reports whether a record is the one with which this coordination
// claimed the run, though it was not told so.
func (c *coordination) isOwn(r *Record) bool {
	own := c.record()
	return !r.ended() && r.Coordinator == own.Coordinator && r.Attempt == own.Attempt && r.Began.UnixMicro() == own.Began.UnixMicro()
}

// swap keeps the record as it is now in place of the one last read.
func (c *coordination) swap(ctx context.Context) error {
	version, err := c.runs.cfg.Results.Swap(ctx, c.id, c.version, c.record(), c.runs.cfg.ResultTTL)
	if err == nil {
		c.version = version
	}
	return err
}

// follow waits for the coordinator that has the run. Not ended: that one is gone,
// has lost the run, or could not end it for want of nodes, time or room.
func (c *coordination) follow(ctx context.Context, earlier Record) (r Record, ended bool, err error) {
	r, err = c.runs.ask(ctx, earlier.Coordinator, c.id, false)
	if kind := mesh.KindOf(err); err != nil && (kind == mesh.Unavailable || kind == mesh.NotFound) {
		return Record{}, false, nil
	}
	return r, err == nil && r.conclusive(), err
}

// decide makes the run's end the one that all are told. Where another node
// went on with the run, as one that could not reach this one does, that
// one's end is. When that cannot be told the run is Unavailable: whoever
// calls again with its id gets what it is then.
func (c *coordination) decide() {
	ctx, cancel := context.WithTimeout(c.runs.ctx, saveTimeout)
	defer cancel()
	for {
		err := c.swap(ctx)
		if err == nil {
			return
		}
		if c.isDecided(ctx) {
			return
		}
		if !pause(ctx, claimPause) {
			c.runs.cfg.Log.Warn("the end of a run is not kept", "run", c.id, "err", err)
			c.undecided(err)
			return
		}
	}
}

// isDecided reports whether the run has an end that is kept, and takes it on.
func (c *coordination) isDecided(ctx context.Context) bool {
	kept, version, err := c.runs.cfg.Results.Load(ctx, c.id)
	if err != nil {
		return false
	}
	if !kept.ended() && kept.Coordinator != c.runs.cfg.Self {
		if record, ended, err := c.follow(ctx, kept); err == nil && ended {
			kept = record
		}
	}
	if kept.conclusive() {
		c.overrule(kept)
		return true
	}
	c.version = version
	return false
}

// undecided says of a run that came to an end that nobody knows whether it counts.
func (c *coordination) undecided(err error) {
	record := c.record()
	if record.conclusive() {
		record.State, record.Results = mesh.Failed, nil
		record.Err = mesh.AsError("", mesh.Errorf(mesh.Unavailable, "", "the run came to its end, which could not be kept: call again with its id: %w", err))
		c.overrule(record)
	}
}

// overrule makes a record the run's, in place of how it ended here.
func (c *coordination) overrule(r Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settled = &r
}

// beginAgain makes the run follow an earlier beginning of it, of which some
// may have been executed: at least once is all that is promised.
func (c *coordination) beginAgain(earlier Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.first = afterAll(earlier.Attempt)
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
