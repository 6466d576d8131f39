package sdk

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// maxPause bounds one pause before a request that found no room is sent again.
const maxPause = 5 * time.Second

// ask sends a request. While the node has no room for it, and says when it
// may, it is sent again: after that time, and longer each time, for as long as
// the context lasts. Where the context would end before, the refusal is the
// answer.
func (c *Client) ask(ctx context.Context, req wire.Message) (wire.Message, error) {
	began, next := time.Now(), req
	for attempt := 0; ; attempt++ {
		if _, isDAG := req.(*pb.CallDAG); isDAG && attempt > 0 {
			next = asRetry(req, time.Since(began)) // some stages may have run
		}
		reply, err := c.transport.Do(ctx, next)
		after := mesh.RetryAfter(err)
		if after == 0 || c.impatient {
			return reply, err
		}
		if !sleep(ctx, pauseFor(after, attempt)) {
			return nil, err
		}
	}
}

// pauseFor is the time that a node asks for, doubled with each attempt, and
// drawn around that, so that those who were refused together do not come back together.
func pauseFor(after time.Duration, attempt int) time.Duration {
	pause := min(after<<min(attempt, 10), maxPause)
	return pause/2 + rand.N(pause)
}

// sleep waits, unless the context ends before: then it does not, and gives false.
func sleep(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// patientUnless gives the client as it is, or one that takes a refusal for an answer.
func (c *Client) patientUnless(once bool) *Client {
	if !once {
		return c
	}
	view := *c
	view.impatient = true
	return &view
}
