package fn

import (
	"context"
	"time"
)

// guestContext is the context of one call. Its deadline is the host's, which
// it asks only when the function does: most functions never look.
type guestContext struct {
	context.Context
	timed  context.Context // made by the first Done of a call with a deadline
	cancel context.CancelFunc
}

func newGuestContext() *guestContext { return &guestContext{Context: withGuestLibrary} }

// Deadline asks the host.
func (c *guestContext) Deadline() (time.Time, bool) {
	ns := hostDeadline()
	return time.Unix(0, ns), ns != 0
}

func (c *guestContext) Done() <-chan struct{} {
	if c.timed == nil {
		deadline, ok := c.Deadline()
		if !ok {
			return nil
		}
		c.timed, c.cancel = context.WithDeadline(c.Context, deadline)
	}
	return c.timed.Done()
}

func (c *guestContext) Err() error {
	if c.timed != nil {
		return c.timed.Err()
	}
	if deadline, ok := c.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

func (c *guestContext) end() {
	if c.cancel != nil {
		c.cancel()
	}
}
