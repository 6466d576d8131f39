package store

import (
	"context"
	"sync"
	"time"
)

// groupSync brings the log onto the disk: within an interval after
// something was written, at once when somebody waits for it, and never while
// nothing is written. All who wait share one sync.
type groupSync struct {
	interval time.Duration
	sync     func() error // durable afterwards: all that was written before the call

	dirty  chan struct{} // something was written
	urgent chan struct{} // somebody waits
	ended  chan struct{} // Run has returned

	mu   sync.Mutex
	next *syncRound // the first round that starts after now
}

// syncRound is one sync. err is set before done is closed.
type syncRound struct {
	done chan struct{}
	err  error
}

func newSyncRound() *syncRound { return &syncRound{done: make(chan struct{})} }

func newGroupSync(interval time.Duration, sync func() error) *groupSync {
	return &groupSync{
		interval: interval,
		sync:     sync,
		dirty:    make(chan struct{}, 1),
		urgent:   make(chan struct{}, 1),
		ended:    make(chan struct{}),
		next:     newSyncRound(),
	}
}

// Wrote says that something was written.
func (g *groupSync) Wrote() { signal(g.dirty) }

// Hurry makes the next round come at once.
func (g *groupSync) Hurry() {
	signal(g.urgent)
	signal(g.dirty)
}

// Wait returns when all that was written before the call is on the disk.
func (g *groupSync) Wait(ctx context.Context) error {
	g.mu.Lock()
	round := g.next
	g.mu.Unlock()
	g.Hurry()
	select {
	case <-round.done:
		return round.err
	case <-g.ended:
		return errClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Run syncs until the context ends, and once more then. It is called once.
func (g *groupSync) Run(ctx context.Context) {
	defer close(g.ended)
	timer := time.NewTimer(g.interval)
	defer timer.Stop()
	for ctx.Err() == nil {
		select {
		case <-g.dirty:
		case <-ctx.Done():
			continue
		}
		timer.Reset(g.interval)
		select {
		case <-timer.C:
		case <-g.urgent:
		case <-ctx.Done():
		}
		g.round()
	}
	g.round()
}

func (g *groupSync) round() {
	// In this order: a signal that is taken back here belongs to something
	// that this round covers.
	drain(g.dirty)
	drain(g.urgent)
	g.mu.Lock()
	round := g.next
	g.next = newSyncRound()
	g.mu.Unlock()
	round.err = g.sync()
	close(round.done)
}

// signal sets a flag that a channel of capacity one holds.
func signal(flag chan<- struct{}) {
	select {
	case flag <- struct{}{}:
	default:
	}
}

func drain(flag <-chan struct{}) {
	select {
	case <-flag:
	default:
	}
}
