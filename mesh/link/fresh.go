package link

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
)

// Freshness is how a request is sent that must not be begun once its caller
// has gone to another peer with it.
type Freshness struct {
	// Within is how long the request may be on its way; no longer than the caller waits. Beyond that the peer
	// answers Unavailable, which wraps mesh.ErrLate, and does not begin it; nor
	// may a handler, by mesh.BeginBy.
	Within time.Duration
	// Patient says that a peer of which nothing is heard is waited for. Else it is
	// as with CallUnlessSilent.
	Patient bool
}

// CallFresh is Call for a write that can go to another peer. When nothing was
// heard of this one any more the error wraps ErrSilent, and comes no sooner than
// the peer must not begin the request any more: until then its answer is waited for.
// It comes at once, and wraps mesh.ErrUnsent, too, where that was so before.
func (c *Conn) CallFresh(ctx context.Context, req wire.Message, f Freshness) (wire.Message, error) {
	sent, p := time.Now(), patience{}
	if !f.Patient {
		if c.Silent() {
			silent := c.fellSilent()
			silent.Err = fmt.Errorf("%w: %w", silent.Err, mesh.ErrUnsent)
			return nil, silent
		}
		// The peer judges by the quickest request that it has seen: that took a round trip at most.
		p = patience{silent: *c.silent.Load(), least: sent.Add(f.Within + time.Millisecond)}
	}
	h := wire.Header{Flags: wire.Fresh, Sent: clockAt(sent.Sub(c.opened)), Within: f.Within}
	return c.call(ctx, h, req, p)
}

// clock is the time that a request tells when it is sent now.
func (c *Conn) clock() uint32 { return clockAt(time.Since(c.opened)) }

// clockAt is a time since a connection was opened as a request tells it.
func clockAt(since time.Duration) uint32 { return uint32(since / time.Microsecond) }

// inTime takes off the front of a body what says how fresh the request must be,
// and gives until when it may be begun; zero: whenever. It is too late already
// with an error that wraps mesh.ErrLate.
func (c *Conn) inTime(h *wire.Header, body []byte) (rest []byte, by time.Time, err error) {
	if h.Flags&wire.Fresh == 0 {
		return body, by, nil
	}
	if rest, err = h.CutFresh(body); err != nil {
		return nil, by, err
	}
	now := time.Now()
	age := c.arrival.Age(h.Sent, now.Sub(c.opened))
	if by = now.Add(h.Within - age); age > h.Within {
		return nil, by, mesh.Errorf(mesh.Unavailable, "serve", "it was sent %v ago, to be begun within %v: %w", age, h.Within, mesh.ErrLate)
	}
	return rest, by, nil
}

// beginningBy is ctx that says until when what is asked for may be begun.
func beginningBy(ctx context.Context, by time.Time) context.Context {
	if by.IsZero() {
		return ctx
	}
	return mesh.WithBeginBy(ctx, by)
}

// arrival tells how long requests were on their way, without clocks that agree:
// by how much more than the quickest of late. So it says too little by what that
// one took. Of what is older than two windows nothing is kept, since clocks drift
// apart, and machines are stopped. It is safe for concurrent use.
type arrival struct {
	mu       sync.Mutex
	begun    bool
	since    time.Duration // when the window began
	now, old uint32        // the least that the clocks were seen to differ by, in this window and in the one before
}

// arrivalWindow is longer than a connection lives of whose peer nothing is heard.
const arrivalWindow = 10 * time.Second

// Age is how long a request was on its way at least. sent is by the peer's
// clock and at by this side's, which both go on from anywhere, at the same pace.
func (a *arrival) Age(sent uint32, at time.Duration) time.Duration {
	differ := clockAt(at) - sent
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case !a.begun:
		a.begun, a.since, a.now, a.old = true, at, differ, differ
	case at-a.since > arrivalWindow:
		a.since, a.old, a.now = at, a.now, differ
	default:
		a.now = least(a.now, differ)
	}
	return time.Duration(differ-least(a.now, a.old)) * time.Microsecond
}

// least is the lesser of two clock differences, which are close to each other
// on a circle.
func least(a, b uint32) uint32 {
	if int32(a-b) < 0 {
		return a
	}
	return b
}
