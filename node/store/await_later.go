package store

import (
	"context"
	"sync"

	"github.com/virga-mesh/virga/mesh"
)

// AwaitLater is Await for mesh.Logged and who does not wait: done is told,
// once, when all that was written of some keys before the call is logged, or why
// not, on a goroutine that it must not hold up. Those who come while a commit is
// made share the next one. How many there may be at once is up to the callers.
func (s *Store) AwaitLater(keys []mesh.Key, done func(error)) {
	if !s.logWaiters.add(logWaiter{keys, done}) {
		done(errClosed)
	}
}

// logWaiter waits until what was written of some keys is logged.
type logWaiter struct {
	keys []mesh.Key
	done func(error)
}

// logWaiters are those who wait for the next commit.
type logWaiters struct {
	came chan struct{} // of capacity 1: somebody waits

	mu      sync.Mutex
	waiting []logWaiter
	ended   bool
}

func newLogWaiters() *logWaiters { return &logWaiters{came: make(chan struct{}, 1)} }

// add is false when nobody takes those who wait any more.
func (l *logWaiters) add(w logWaiter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return false
	}
	if l.waiting = append(l.waiting, w); len(l.waiting) == 1 {
		signal(l.came)
	}
	return true
}

// take gives all who wait; what it gave before is taken back for others.
func (l *logWaiters) take(before []logWaiter) []logWaiter {
	clear(before)
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.waiting
	l.waiting = before[:0]
	return taken
}

// end lets nobody wait any more, and gives those who still do.
func (l *logWaiters) end() []logWaiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	return l.waiting
}

// commitForWaiters serves AwaitLater until ctx ends.
func (s *Store) commitForWaiters(ctx context.Context) {
	var taken []logWaiter
	var keys []mesh.Key
	for ctx.Err() == nil {
		select {
		case <-s.logWaiters.came:
		case <-ctx.Done():
			continue
		}
		taken = s.logWaiters.take(taken)
		keys = keys[:0]
		for _, w := range taken {
			keys = append(keys, w.keys...)
		}
		tellWaiters(taken, s.Await(ctx, mesh.Logged, keys...))
	}
	tellWaiters(s.logWaiters.end(), errClosed)
}

func tellWaiters(waiters []logWaiter, err error) {
	for _, w := range waiters {
		w.done(err)
	}
}
