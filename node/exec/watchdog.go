package exec

import (
	"context"
	"sync"
	"time"
)

// watchdog ends the calls of one instance that run past their deadline, or
// whose callers give up. It is also the context that wazero watches, which
// ends once and for good: the instance is thrown away then.
//
// Contexts with a deadline would do the same. But they set and stop a timer
// for each call, which costs as much as the call itself; the timer here stays
// set from one call to the next, at or before the deadline that counts.
type watchdog struct {
	context.Context // of the call under way: for its values

	mu       sync.Mutex
	deadline time.Time // of the call under way; zero between calls
	timer    *time.Timer
	due      time.Time // when the timer fires; zero if it is not set
	ended    chan struct{}
	err      error // why ended is closed
}

func newWatchdog() *watchdog { return &watchdog{ended: make(chan struct{})} }

func (w *watchdog) Done() <-chan struct{} { return w.ended }

func (w *watchdog) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// begin watches a call with the values of ctx until finish.
func (w *watchdog) begin(ctx context.Context, deadline time.Time) {
	w.Context = ctx
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline = deadline
	if w.due.IsZero() || deadline.Before(w.due) {
		w.set()
	}
}

func (w *watchdog) finish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline = time.Time{}
}

// set has the timer fire at the deadline.
func (w *watchdog) set() {
	w.due = w.deadline
	if w.timer == nil {
		w.timer = time.AfterFunc(time.Until(w.due), w.check)
		return
	}
	w.timer.Reset(time.Until(w.due))
}

// check is what the timer runs.
func (w *watchdog) check() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.due = time.Time{}
	switch {
	case w.deadline.IsZero():
	case time.Now().Before(w.deadline):
		w.set()
	default:
		w.endWith(context.DeadlineExceeded)
	}
}

// end ends the instance, for a caller that gave up and for a node that shuts down.
func (w *watchdog) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.endWith(context.Canceled)
}

func (w *watchdog) endWith(err error) {
	if w.err == nil {
		w.err = err
		close(w.ended)
	}
}

// free stops the timer.
func (w *watchdog) free() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline = time.Time{}
	if w.timer != nil {
		w.timer.Stop()
	}
}
