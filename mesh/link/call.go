package link

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Call sends a request and waits for its reply. Errors are *mesh.Error: the
// peer's own, Unavailable when the connection ended, Overloaded when the peer
// serves too much, DeadlineExceeded or Cancelled from the context, which also
// end the request on the other side.
func (c *Conn) Call(ctx context.Context, req wire.Message) (wire.Message, error) {
	return c.call(ctx, wire.Header{}, req, patience{})
}

// call is Call for as long as p says. The caller may have filled in how fresh
// the request must be.
func (c *Conn) call(ctx context.Context, h wire.Header, req wire.Message, p patience) (_ wire.Message, err error) {
	if h.Timeout, err = timeLeft(ctx); err != nil {
		return nil, err
	}
	if h.Timeout > 0 {
		h.Within = min(h.Within, h.Timeout) // after that the caller may do something else
	}
	w := c.endpoint.waiters.Get().(*waiter)
	defer func() { c.endpoint.waiters.Put(w.clean()) }()
	id, ok := c.calls.add(w)
	if !ok {
		return nil, c.lost()
	}
	h.ID = id
	mark, err := c.sendFrame(ctx, h, req, p)
	if err != nil {
		c.abandon(id, w)
		return nil, err
	}
	if err := c.wait(ctx, w.ready, p); err != nil {
		if c.calls.take(id) != nil {
			c.sendCancel(id)
			return nil, err
		}
		<-w.ready // the reply came at the same time
	}
	c.requests.arrived(mark)
	return w.reply()
}

// abandon forgets a call whose request did not go out.
func (c *Conn) abandon(id uint64, w *waiter) {
	if c.calls.take(id) == nil {
		<-w.ready
	}
}

// Send sends a message that is not answered. Small messages arrive in the
// order of the Sends; one that needs a stream of its own may be overtaken. A
// nil error says only that the message is on its way.
func (c *Conn) Send(ctx context.Context, msg wire.Message) error {
	timeout, err := timeLeft(ctx)
	if err != nil {
		return err
	}
	_, err = c.sendFrame(ctx, wire.Header{Flags: wire.OneWay, Timeout: timeout}, msg, patience{})
	return err
}

// timeLeft gives the context's time, 0 when it has no deadline.
func timeLeft(ctx context.Context) (time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, mesh.AsError("call", err)
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		return 0, nil
	}
	left := time.Until(deadline)
	if left <= 0 {
		return 0, mesh.AsError("call", context.DeadlineExceeded)
	}
	return left, nil
}

// sendFrame sends a request or a one-way message on the stream that its size
// asks for. One with a stream of its own is given up when p ends.
func (c *Conn) sendFrame(ctx context.Context, h wire.Header, m wire.Message, p patience) (mark uint64, err error) {
	frame := frames.Get().(*frameBuffer)
	defer frame.release()
	if frame.bytes, err = wire.AppendFrame(frame.bytes[:0], h, m); err != nil {
		return 0, err
	}
	if err := c.checkSize(m, len(frame.bytes)); err != nil {
		return 0, err
	}
	if len(frame.bytes) > maxBuffer {
		err = c.writeLarge(ctx, frame.bytes, p)
		if refused(err) && h.Flags&wire.OneWay == 0 {
			return 0, nil // the reply says why
		}
	} else {
		mark, err = c.requests.write(ctx, frame.bytes, c.calls.alone())
	}
	if err != nil {
		return 0, c.sendError(ctx, err)
	}
	return mark, nil
}

// refused reports whether the peer did not want to read a stream.
func refused(err error) bool {
	var stream *quic.StreamError
	return errors.As(err, &stream) && stream.Remote
}

func (c *Conn) checkSize(m wire.Message, frameBytes int) error {
	if body := frameBytes - wire.HeaderSize; body > int(c.endpoint.config.Limits.MaxFrame) {
		return mesh.Errorf(mesh.Invalid, "frame", "%T of %d bytes: expected at most %d", m, body, c.endpoint.config.Limits.MaxFrame)
	}
	return nil
}

// sendError says why a write failed: the context's end, or the connection's.
func (c *Conn) sendError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return mesh.AsError("call", ctx.Err())
	}
	if c.ctx.Err() != nil {
		return c.lost()
	}
	if errors.Is(err, ErrSilent) {
		return err
	}
	return &mesh.Error{Kind: mesh.Unavailable, Op: "send", Node: c.peer.ID, Err: err}
}

func (c *Conn) sendCancel(id uint64) {
	frame, err := wire.AppendFrame(nil, wire.Header{ID: id, Flags: wire.OneWay}, &pb.Cancel{})
	if err != nil {
		panic("link: a Cancel cannot be encoded: " + err.Error())
	}
	c.requests.writeNow(frame, false)
}

// readReplies hands the replies on our stream to those who wait. It returns
// when the connection has ended.
func (c *Conn) readReplies() {
	for {
		h, body, err := c.answers.next()
		if err != nil {
			c.streamEnded("replies", err)
			return
		}
		if h.Flags != wire.Reply {
			c.violated(mesh.Errorf(mesh.Invalid, "frame", "flags %#x on the reply stream: expected a reply", h.Flags))
			return
		}
		if w := c.calls.take(h.ID); w != nil { // else its caller gave up
			w.deliver(h.Type, body)
		}
	}
}

// streamEnded ends the connection because of what came of reading a stream,
// unless the connection is ending already and that came of it.
func (c *Conn) streamEnded(which string, err error) {
	var (
		broken *mesh.Error
		reset  *quic.StreamError
	)
	switch {
	case err == io.EOF:
		err = mesh.Errorf(mesh.Invalid, "frame", "the peer closed the stream of %s", which)
	case errors.As(err, &reset):
		err = mesh.Errorf(mesh.Invalid, "frame", "the peer reset the stream of %s", which)
	case !errors.As(err, &broken):
		return
	}
	c.violated(err)
}

// callTable knows who waits for which reply.
type callTable struct {
	mu      sync.Mutex
	last    uint64
	waiting map[uint64]*waiter // nil when the connection has ended
	watch   func()             // begins to look whether the peer answers
	watched bool
}

func (t *callTable) add(w *waiter) (id uint64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting == nil {
		return 0, false
	}
	t.last++
	t.waiting[t.last] = w
	if !t.watched {
		t.watched = true
		t.watch()
	}
	return t.last, true
}

// rest reports whether nobody waits. Then nobody looks at the connection
// until the next call.
func (t *callTable) rest() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.watched = len(t.waiting) > 0
	return !t.watched
}

// alone reports whether at most one call is under way.
func (t *callTable) alone() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.waiting) <= 1
}

// take removes the waiter of a call. Who gets it, and nobody else, must deliver to it or let it go.
func (t *callTable) take(id uint64) *waiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.waiting[id]
	delete(t.waiting, id)
	return w
}

// waits reports whether somebody waits for the reply.
func (t *callTable) waits(id uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.waiting[id] != nil
}

func (t *callTable) failAll(err error) {
	t.mu.Lock()
	waiting := t.waiting
	t.waiting = nil
	t.mu.Unlock()
	for _, w := range waiting {
		w.fail(err)
	}
}
