package cache

import (
	"context"
	"sync"
)

// tasks are goroutines that run beside the callers, until close.
type tasks struct {
	ctx     context.Context
	cancel  context.CancelFunc
	mu      sync.RWMutex
	closed  bool
	running sync.WaitGroup
}

func newTasks() *tasks {
	ctx, cancel := context.WithCancel(context.Background())
	return &tasks{ctx: ctx, cancel: cancel}
}

// start runs f, with a context that ends at close, and reports false after close.
func (t *tasks) start(f func(ctx context.Context)) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if !t.closed {
		t.running.Go(func() { f(t.ctx) })
	}
	return !t.closed
}

func (t *tasks) close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.cancel()
	t.running.Wait()
}
