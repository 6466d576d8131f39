package txn

import (
	"context"
	"errors"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// Bounds of a sweep.
const (
	maxSeen     = 1 << 16 // records that are known of
	sweptAtOnce = 8
)

// sweep is what is known of records that this node is to look after. Only one
// pass is made at a time.
type sweep struct {
	turn   chan struct{} // of capacity 1
	places chan struct{} // a place for each transaction that a pass has begun to complete
	seen   map[lattice.Stamp]*sighting
}

// sighting is a record, by this node's clock. All but first is guarded by Txns.mu.
type sighting struct {
	first   time.Time
	notYet  time.Time // until then it is left alone, since it was of no use to try
	taken   bool      // it is being tried
	damaged bool      // which was told
}

func newSweep() sweep {
	return sweep{make(chan struct{}, 1), make(chan struct{}, sweptAtOnce), map[lattice.Stamp]*sighting{}}
}

// Run sweeps until ctx ends.
func (t *Txns) Run(ctx context.Context) {
	for wait(ctx, t.Period) {
		t.Sweep(ctx)
	}
}

// Sweep looks once at the records of which this node is the closest live owner,
// and completes what their homes have left: at once where those are not live,
// else after Patience. It waits for that, though not for longer than Attempt.
func (t *Txns) Sweep(ctx context.Context) {
	select {
	case t.sweep.turn <- struct{}{}:
		defer func() { <-t.sweep.turn }()
	case <-ctx.Done():
		return
	}
	ctx, cancel := context.WithTimeout(ctx, t.Attempt)
	defer cancel()
	if err := t.see(ctx); err != nil {
		t.Log.Warn("the records of transactions cannot be read", "err", err)
		return
	}
	var begun []*flight
	for at, s := range t.sweep.seen { // in no order, so that none keeps others from their turn for ever
		if !t.isLeft(at, s) {
			continue
		}
		select {
		case t.sweep.places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		if f := t.take(at, s); f != nil {
			begun = append(begun, f)
		}
	}
	for _, f := range begun {
		_ = f.wait(ctx) // take tells
	}
}

// see notes which records there are.
func (t *Txns) see(ctx context.Context) error {
	now, seen := time.Now(), map[lattice.Stamp]*sighting{}
	err := t.Store.Records(ctx, func(at lattice.Stamp, _ []byte) {
		s := t.sweep.seen[at]
		if s == nil {
			s = &sighting{first: now}
		}
		if len(seen) < maxSeen {
			seen[at] = s
		}
	})
	if err == nil {
		t.sweep.seen = seen
	}
	return err
}

// isLeft reports whether nobody seems to care for a record but who looks after it.
func (t *Txns) isLeft(at lattice.Stamp, s *sighting) bool {
	home, now := mesh.NodeID(at.Node), time.Now()
	live := t.Live(home)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case s.taken || now.Before(s.notYet):
		return false
	case home == t.Self: // which may have been started anew
		return t.commits[at] == nil
	}
	return now.Sub(s.first) >= t.Patience || !live
}

// take begins to complete the transaction of a record, in the place that was
// just taken for it. Nil: not now.
func (t *Txns) take(at lattice.Stamp, s *sighting) *flight {
	f, err := t.join(at, true)
	if err != nil {
		<-t.sweep.places
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		<-t.sweep.places
		return nil
	}
	s.taken = true
	t.work.Go(func() {
		<-f.settled
		t.took(at, s, f)
		<-t.sweep.places
	})
	return f
}

// took notes how it went. A record that only this node has is none: nothing was
// written. It is left alone, too, until most owners have it or none.
func (t *Txns) took(at lattice.Stamp, s *sighting, f *flight) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.taken, s.notYet = false, time.Now().Add(t.Patience)
	switch {
	case f.err == nil || t.closed:
	case !errors.Is(f.err, ErrDamaged):
		t.Log.Info("a transaction that was left is not complete yet", "at", at.String(), "err", f.err)
	case !s.damaged:
		s.damaged = true
		t.Log.Error("the record of a transaction is left alone", "err", f.err)
	}
}
