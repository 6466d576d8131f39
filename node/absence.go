package node

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// absence is what a node knows of its own.
type absence struct {
	long atomic.Bool // it was away for longer than it is expected back, or its store lost data
	lock sync.Mutex  // of the file
}

// aliveFile holds the time at which the node was last known to live.
const aliveFile = "alive"

// longestAlive is how often that is written at least.
const longestAlive = time.Minute

// readAbsence finds out whether this node was away for so long that the mesh
// expects it no more, or has lost data, so that its store may be older than it
// seems. Then what it holds may have been deleted for good meanwhile.
func (r *rooms) readAbsence() error {
	text, err := r.cfg.file(aliveFile).Load()
	if err != nil {
		r.log.Warn("it is not known how long this node was away", "err", err)
		return nil
	}
	alive, err := time.Parse(time.RFC3339, string(text))
	away := err == nil && time.Since(alive) > r.cfg.ForgetAfter
	r.absence.long.Store(away || r.store.Condition().Refill)
	return nil
}

// returned reports whether the mesh may have gone on without this node.
func (r *rooms) returned() bool { return r.absence.long.Load() || r.dht.Forgotten() }

// reconciled says that what may have been deleted meanwhile is set aside.
func (r *rooms) reconciled() {
	r.dht.Remembered()
	r.absence.long.Store(false)
	r.saveAlive(time.Now())
}

// noteAlive writes down, until the context ends, that this node lives: not
// while it is still to find out what it missed.
func (r *rooms) noteAlive(ctx context.Context) {
	ticker := time.NewTicker(min(longestAlive, r.cfg.ForgetAfter/4))
	defer ticker.Stop()
	for {
		if !r.returned() {
			r.saveAlive(time.Now())
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// noteForgotten keeps it from being lost that the mesh has given this node up.
func (r *rooms) noteForgotten() {
	if r.dht.Forgotten() {
		r.saveAlive(time.Time{})
	}
}

func (r *rooms) saveAlive(at time.Time) {
	r.absence.lock.Lock()
	defer r.absence.lock.Unlock()
	if err := r.cfg.file(aliveFile).Save([]byte(at.UTC().Format(time.RFC3339))); err != nil {
		r.log.Warn("that this node lives could not be noted", "err", err)
	}
}
