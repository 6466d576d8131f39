package exec

import (
	"context"
	"sync"
	"time"
)

// runContext is the context of one invocation: it ends with its parent, at
// its deadline, or when the executor is closed. Most functions never wait for
// that, so the timer and the channel are made by the first Done only, which
// makes calling a function several times cheaper than context.WithDeadline.
type runContext struct {
	parent   context.Context
	deadline time.Time
	own      bool // the deadline is that of the limit, not the parent's

	mu     sync.Mutex
	timed  context.Context // made by the first Done
	cancel context.CancelFunc
	ended  bool // by end, before the first Done
}

// start sets the parent and the deadline, limit from now or the parent's own.
func (c *runContext) start(parent context.Context, limit time.Duration) {
	c.parent, c.deadline, c.own = parent, time.Now().Add(limit), true
	if earlier, ok := parent.Deadline(); ok && earlier.Before(c.deadline) {
		c.deadline, c.own = earlier, false
	}
}

func (c *runContext) Deadline() (time.Time, bool) { return c.deadline, true }

func (c *runContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed == nil {
		c.timed, c.cancel = context.WithDeadline(c.parent, c.deadline)
		if c.ended {
			c.cancel()
		}
	}
	return c.timed.Done()
}

func (c *runContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.timed != nil:
		return c.timed.Err()
	case c.ended:
		return context.Canceled
	case c.parent.Err() != nil:
		return c.parent.Err()
	case !time.Now().Before(c.deadline):
		return context.DeadlineExceeded
	}
	return nil
}

// Value looks in what Done made, where package context finds that children
// can be ended together with it.
func (c *runContext) Value(key any) any {
	c.mu.Lock()
	from := c.timed
	c.mu.Unlock()
	if from == nil {
		from = c.parent
	}
	return from.Value(key)
}

// end cancels the context and frees its timer.
func (c *runContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.cancel != nil {
		c.cancel()
	}
}
