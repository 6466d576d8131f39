package exec

import (
	"container/list"
	"context"
	"sync"

	"github.com/virga-mesh/virga/mesh"
)

// gate bounds how many invocations run at once, and how many wait for that,
// in order of arrival.
type gate struct {
	mu      sync.Mutex
	limit   int
	queue   int
	running int
	waiting list.List // of chan struct{}, closed when the turn has come
}

// enter takes a place, for which it waits as long as ctx lasts. With the
// queue full it is Overloaded at once.
func (g *gate) enter(ctx context.Context) error {
	g.mu.Lock()
	if g.running < g.limit && g.waiting.Len() == 0 {
		g.running++
		g.mu.Unlock()
		return nil
	}
	if g.waiting.Len() >= g.queue {
		defer g.mu.Unlock()
		return mesh.Errorf(mesh.Overloaded, "", "%d invocations run and %d wait, which is as many as may", g.running, g.waiting.Len())
	}
	turn := make(chan struct{})
	place := g.waiting.PushBack(turn)
	g.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		g.giveUp(place, turn)
		return mesh.AsError("", ctx.Err())
	}
}

func (g *gate) giveUp(place *list.Element, turn chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-turn: // the turn came at the same moment
		g.running--
		g.admit()
	default:
		g.waiting.Remove(place)
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
	for g.running < g.limit && g.waiting.Len() > 0 {
		turn := g.waiting.Remove(g.waiting.Front()).(chan struct{})
		g.running++
		close(turn)
	}
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
