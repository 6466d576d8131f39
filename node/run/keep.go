package run

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
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
	until := c.done
	if q.Future {
		until = c.accepted
	}
	select {
	case <-until:
	case <-ctx.Done():
		return Reply{}, mesh.Errorf(mesh.KindOf(ctx.Err()), "", "waiting for run %s: %w", c.id, ctx.Err())
	}
	c.mu.Lock()
	refused := c.refused
	c.mu.Unlock()
	if q.Future && !refused {
		return Reply{ID: c.id}, nil
	}
	return c.reply()
}

// own is the life of a kept run: unless an earlier call settles it, its
// record is written before it begins and when it is over.
func (c *coordination) own() {
	defer c.runs.retire(c)
	if c.named && c.adopt() {
		return
	}
	if err := c.save(c.ctx); err != nil {
		c.refuse(err)
		return
	}
	c.accept()
	c.execute()
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

// refuse ends a run that cannot be taken on. Nothing of it has run.
func (c *coordination) refuse(err error) {
	c.mu.Lock()
	c.refused = true
	c.mu.Unlock()
	c.fail(err)
	c.accept()
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
	case earlier.ended():
		c.settle(earlier)
		return true
	}
	c.accept()
	return c.follow(earlier)
}

// follow waits for the coordinator that began the run. If that one is gone,
// or has lost the run, the run is begun again here, at least once being all
// that is promised.
func (c *coordination) follow(earlier Record) bool {
	if earlier.Coordinator != c.runs.cfg.Self {
		r, err := c.runs.ask(c.ctx, earlier.Coordinator, c.id, false)
		switch kind := mesh.KindOf(err); {
		case err == nil && r.ended():
			c.settle(r)
			return true
		case err != nil && kind != mesh.Unavailable && kind != mesh.NotFound:
			c.refuse(err)
			return true
		}
	}
	c.mu.Lock()
	c.first = earlier.Attempt + MaxAttempts
	c.mu.Unlock()
	return false
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

// Await gives the record of a run: once the run is over or, with noWait, as
// it stands. Where this node does not coordinate the run, the record comes
// from the store and, while the run goes on, from its coordinator.
//
// Errors: NotFound for an id that is not known, or no longer; Unavailable when
// the run's coordinator is gone, DeadlineExceeded and Cancelled by the
// context. How the run itself failed is in the record.
func (r *Runs) Await(ctx context.Context, id mesh.RunID, noWait bool) (Record, error) {
	record, err := r.await(ctx, id, noWait)
	if err != nil {
		return Record{}, mesh.AsError("await run "+id.String(), err)
	}
	return record, nil
}

func (r *Runs) await(ctx context.Context, id mesh.RunID, noWait bool) (Record, error) {
	if c := r.known(id); c != nil {
		return c.await(ctx, noWait)
	}
	record, err := r.cfg.Results.Load(ctx, id)
	if err != nil || record.ended() {
		return record, err
	}
	if record.Coordinator == r.cfg.Self {
		return Record{}, mesh.Errorf(mesh.Unavailable, "", "the node restarted while it coordinated the run: call again with the run's id to begin it anew")
	}
	return r.ask(ctx, record.Coordinator, id, noWait)
}

func (c *coordination) await(ctx context.Context, noWait bool) (Record, error) {
	if noWait {
		return c.record(), nil
	}
	select {
	case <-c.done:
		return c.record(), nil
	case <-ctx.Done():
		return Record{}, mesh.Errorf(mesh.KindOf(ctx.Err()), "", "the run goes on: %w", ctx.Err())
	}
}

// ask gets a run's record from its coordinator.
func (r *Runs) ask(ctx context.Context, coordinator mesh.NodeID, id mesh.RunID, noWait bool) (Record, error) {
	m, err := r.cfg.Peers.Call(ctx, coordinator, &pb.AwaitRun{RunId: id[:], NoWait: noWait})
	if err != nil {
		if mesh.KindOf(err) == mesh.Unavailable {
			return Record{}, mesh.Errorf(mesh.Unavailable, "", "the run's coordinator %s cannot be reached: call again with the run's id to begin it anew: %w", coordinator, err)
		}
		return Record{}, err
	}
	reply, ok := m.(*pb.AwaitRunReply)
	if !ok {
		return Record{}, mesh.Errorf(mesh.Internal, "", "node %s answered with %T: expected the record of a run", coordinator, m)
	}
	return ParseRecord(reply)
}

// Cancel ends a run with Cancelled, wherever it is coordinated. Cancelling a
// run that is over changes nothing. Errors: as Await.
func (r *Runs) Cancel(ctx context.Context, id mesh.RunID) error {
	if c := r.known(id); c != nil {
		c.fail(mesh.Errorf(mesh.Cancelled, "", "run %s was cancelled", id))
		return nil
	}
	record, err := r.cfg.Results.Load(ctx, id)
	switch {
	case err != nil:
	case record.ended():
	case record.Coordinator == r.cfg.Self:
		err = mesh.Errorf(mesh.Unavailable, "", "the node restarted while it coordinated the run: nothing of it is left to cancel")
	default:
		_, err = r.cfg.Peers.Call(ctx, record.Coordinator, &pb.CancelRun{RunId: id[:]})
	}
	if err != nil {
		return mesh.AsError("cancel run "+id.String(), err)
	}
	return nil
}
