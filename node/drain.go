package node

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/replica"
)

// drain is the way of a node out of the mesh: it says that it is to own
// nothing, waits until its partitions are with their owners and its work has
// ended, and stops. It may be taken back until it is done.
type drain struct {
	lock    sync.Mutex
	attempt *drainAttempt // the last one
	done    chan struct{} // closed once all is handed over
}

// drainAttempt is a drain that is under way or has ended.
type drainAttempt struct {
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // why it failed; valid once ended
}

func newDrain() *drain { return &drain{done: make(chan struct{})} }

// underWay gives the attempt that has not ended, or is done; nil when there is none.
func (d *drain) underWay() *drainAttempt {
	d.lock.Lock()
	defer d.lock.Unlock()
	return d.standing()
}

// standing is underWay with the lock held.
func (d *drain) standing() *drainAttempt {
	if d.attempt == nil {
		return nil
	}
	select {
	case <-d.attempt.ended:
		if d.attempt.err != nil {
			return nil
		}
	default:
	}
	return d.attempt
}

func (d *drain) isDone() bool {
	select {
	case <-d.done:
		return true
	default:
		return false
	}
}

// beginDrain begins a drain, or gives the one that is under way.
func (r *rooms) beginDrain() (*drainAttempt, error) {
	d := r.drain
	d.lock.Lock()
	defer d.lock.Unlock()
	if attempt := d.standing(); attempt != nil {
		return attempt, nil
	}
	if !r.hasHeir() {
		return nil, mesh.Errorf(mesh.Conflict, "drain", "no other node is live that stays: expected one to hand over to")
	}
	attempt := &drainAttempt{ended: make(chan struct{})}
	var ctx context.Context
	ctx, attempt.cancel = context.WithCancel(r.ctx)
	begun := r.background(func(context.Context) {
		defer close(attempt.ended)
		defer attempt.cancel()
		if attempt.err = r.handOver(ctx); attempt.err == nil {
			close(d.done)
		}
	})
	if !begun {
		attempt.cancel()
		return nil, errNotRunning()
	}
	d.attempt = attempt
	return attempt, nil
}

// hasHeir reports whether another node is live and stays.
func (r *rooms) hasHeir() bool {
	for _, peer := range r.dht.View() {
		if peer.ID != r.self && !peer.Draining {
			return true
		}
	}
	return false
}

// spreadTimeout bounds how long it takes to tell the neighbours that a node drains.
const spreadTimeout = 2 * time.Second

// handOver brings a drain to its end. When it fails or is taken back, the
// node owns again what is closest to it.
func (r *rooms) handOver(ctx context.Context) error {
	r.log.Info("draining: this node hands over what it holds, and stops")
	announce(ctx, r.dht.Drain)
	err := r.await(ctx, r.hasHandedOver)
	if err == nil {
		work, cancel := context.WithTimeout(ctx, r.cfg.FuncTime)
		err = r.await(work, r.isIdle)
		if cancel(); ctx.Err() == nil {
			err = nil // what takes longer than a function may is not waited for
		}
	}
	if err == nil {
		r.log.Info("drained: all that this node held is with its owners")
		return nil
	}
	r.log.Warn("this node does not drain any more", "err", err)
	if r.ctx.Err() == nil {
		announce(r.ctx, r.dht.Undrain)
	}
	return mesh.AsError("drain", err)
}

func announce(ctx context.Context, say func(context.Context)) {
	ctx, cancel := context.WithTimeout(ctx, spreadTimeout)
	defer cancel()
	say(ctx)
}

// How often a drain looks whether it is done, and how often in a row it must
// find so: what was on its way when the mesh was told is handed over, too.
const (
	drainPoll   = 50 * time.Millisecond
	drainSteady = 4
)

// await waits until a condition holds, and goes on holding.
func (r *rooms) await(ctx context.Context, holds func(context.Context) (bool, error)) error {
	ticker := time.NewTicker(drainPoll)
	defer ticker.Stop()
	for held := 0; ; {
		now, err := holds(ctx)
		if err != nil {
			return err
		}
		if held++; !now {
			held = 0
		}
		if held == drainSteady {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// hasHandedOver reports whether the store is empty and no write waits here:
// what this node does not own is dropped once all owners have confirmed that
// they hold it.
func (r *rooms) hasHandedOver(ctx context.Context) (bool, error) {
	if r.replica.Pending() > 0 || r.owesLive() {
		return false, nil
	}
	held, err := r.store.Held(ctx)
	return len(held) == 0, err
}

// owesLive reports whether deltas are on their way to nodes that live, or
// owed to them. What missing ones are owed, other owners hold.
func (r *rooms) owesLive() bool {
	lag := r.replica.Lag()
	return lag.Sending > 0 || slices.ContainsFunc(lag.Owed, func(d replica.Debt) bool {
		return slices.Contains(r.live(), d.Node)
	})
}

// isIdle reports whether no run or invocation keeps this node busy.
func (r *rooms) isIdle(context.Context) (bool, error) {
	return r.runs.UnderWay() == 0 && r.exec.Running() == 0, nil
}

// lingerTime is how long a node that has drained goes on, so that who waits
// for it hears that it is done.
const lingerTime = 200 * time.Millisecond

func (r *rooms) linger(ctx context.Context) {
	timer := time.NewTimer(lingerTime)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// cancelDrain takes a drain back, and returns when this node owns again what is closest to it.
func (r *rooms) cancelDrain(ctx context.Context) error {
	attempt := r.drain.underWay()
	if attempt == nil {
		return mesh.Errorf(mesh.Conflict, "cancel drain", "the node does not drain")
	}
	attempt.cancel()
	select {
	case <-attempt.ended:
	case <-ctx.Done():
		return mesh.AsError("cancel drain", ctx.Err())
	}
	if attempt.err == nil {
		return mesh.Errorf(mesh.Conflict, "cancel drain", "the node has handed over everything and stops")
	}
	return nil
}
