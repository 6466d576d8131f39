package exec

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// gate bounds how many invocations run at once, and how many wait for that.
// Their callers take turns.
type gate struct {
	pace    pace
	mu      sync.Mutex
	limit   int
	queue   int
	running int
	waiting turns
}

// enter takes a place, for which it waits as long as ctx lasts. With the
// queue full it is Overloaded at once.
func (g *gate) enter(ctx context.Context, caller string) error {
	g.mu.Lock()
	if g.running < g.limit && g.waiting.len == 0 {
		g.running++
		g.mu.Unlock()
		return nil
	}
	if !g.waiting.admits(caller, g.queue) {
		defer g.mu.Unlock()
		return overloaded(g.pace.until(g.waiting.len, g.limit), "%d invocations run and %d wait, which is as many as may", g.running, g.waiting.len)
	}
	ticket := g.waiting.add(caller)
	g.mu.Unlock()
	select {
	case <-ticket.turn:
		return nil
	case <-ctx.Done():
		g.giveUp(ticket)
		return mesh.AsError("", ctx.Err())
	}
}

func (g *gate) giveUp(t ticket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-t.turn: // the turn came at the same moment
		g.running--
		g.admit()
	default:
		g.waiting.remove(t)
	}
}

// leave gives the place back.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running--
	g.admit()
}

// reenter takes a place without waiting, past the limit if need be: it is for
// invocations that left while they waited for another one.
func (g *gate) reenter() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running++
}

func (g *gate) admit() {
	for g.running < g.limit && g.waiting.len > 0 {
		g.running++
		close(g.waiting.next())
	}
}

// counts gives how many run and how many wait.
func (g *gate) counts() (running, waiting int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(0, g.running), g.waiting.len
}

// pace is how long a place was held lately, in nanoseconds; 0: not known.
type pace struct{ mean atomic.Int64 }

// held notes for how long one was. Of two at once, one may be missed.
func (p *pace) held(d time.Duration) {
	mean := p.mean.Load()
	if mean == 0 {
		p.mean.Store(int64(d))
		return
	}
	p.mean.Store(mean + (int64(d)-mean)/8)
}

// Bounds of what those are told who find no room.
const (
	minRetryAfter     = 10 * time.Millisecond
	maxRetryAfter     = 5 * time.Second
	unknownRetryAfter = 100 * time.Millisecond
)

// until says when half of those that wait will have had their places.
func (p *pace) until(waiting, limit int) time.Duration {
	mean := time.Duration(p.mean.Load())
	if mean == 0 {
		return unknownRetryAfter
	}
	rounds := float64(waiting+1) / float64(2*max(1, limit))
	return time.Duration(min(max(rounds*float64(mean), float64(minRetryAfter)), float64(maxRetryAfter)))
}

// overloaded is the error of what has not begun for want of room.
func overloaded(after time.Duration, format string, args ...any) error {
	err := mesh.Errorf(mesh.Overloaded, "", format, args...)
	err.RetryAfter = after.Round(time.Millisecond)
	return err
}

// gates holds a gate for each function that has a limit of its own, while it is in use.
type gates struct {
	mu    sync.Mutex
	queue int
	byRef map[mesh.FuncRef]*sharedGate
}

type sharedGate struct {
	gate
	users int
}

// borrow gives the gate of ref with the limit set; the caller returns it.
func (g *gates) borrow(ref mesh.FuncRef, limit int) *sharedGate {
	g.mu.Lock()
	defer g.mu.Unlock()
	shared := g.byRef[ref]
	if shared == nil {
		shared = &sharedGate{gate: gate{queue: g.queue}}
		g.byRef[ref] = shared
	}
	shared.users++
	shared.mu.Lock()
	shared.limit = limit
	shared.mu.Unlock()
	return shared
}

func (g *gates) giveBack(ref mesh.FuncRef, shared *sharedGate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if shared.users--; shared.users == 0 {
		delete(g.byRef, ref)
	}
}
