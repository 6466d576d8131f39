package replica

import (
	"context"
	"sync"

	"github.com/virga-mesh/virga/mesh"
)

// turns lets one caller at a time work on a key.
type turns struct {
	mu    sync.Mutex
	byKey map[mesh.Key]*turn
}

func newTurns() *turns { return &turns{byKey: make(map[mesh.Key]*turn)} }

type turn struct {
	free    chan struct{} // of capacity 1: full while nobody works on the key
	callers int           // that work on the key or wait; guarded by turns.mu
}

// enter waits for the turn, and gives how to end it.
func (t *turns) enter(ctx context.Context, key mesh.Key) (leave func(), err error) {
	t.mu.Lock()
	own := t.byKey[key]
	if own == nil {
		own = &turn{free: make(chan struct{}, 1)}
		own.free <- struct{}{}
		t.byKey[key] = own
	}
	own.callers++
	t.mu.Unlock()
	select {
	case <-own.free:
		return func() { own.free <- struct{}{}; t.forget(key, own) }, nil
	case <-ctx.Done():
		t.forget(key, own)
		return nil, ctx.Err()
	}
}

func (t *turns) forget(key mesh.Key, own *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if own.callers--; own.callers == 0 {
		delete(t.byKey, key)
	}
}
