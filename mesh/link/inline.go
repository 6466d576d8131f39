package link

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh/wire"
)

// inlineContext is the context of an inline request: the deadline costs
// neither a timer nor a goroutine.
type inlineContext struct {
	context.Context
	conn   *Conn
	header wire.Header
	from   time.Time

	deferred bool
	pause    func()
}

// Deadline is the request's.
func (c *inlineContext) Deadline() (time.Time, bool) {
	if c.header.Timeout == 0 {
		return time.Time{}, false
	}
	return c.from.Add(c.header.Timeout), true
}

// IsInline reports whether ctx is that of an inline request.
func IsInline(ctx context.Context) bool {
	_, inline := ctx.(*inlineContext)
	return inline
}

// Defer lets the Serve of an inline request answer it later, by reply, which
// is to be called once, from any goroutine, and does not wait. What Serve
// returns is dropped; but ErrMustWait takes the Defer back, and reply must not
// be called then. ok is false where ctx is not that of an inline request, or so
// many messages of the peer are being served that Serve has to give ErrMustWait.
//
// pause is called once on the goroutine that reads the connection, as soon as
// no more input is at hand: what requests that come together need can be done
// together. Neither a deadline nor a Cancel ends the request.
func Defer(ctx context.Context, pause func()) (reply func(wire.Message, error), ok bool) {
	c, inline := ctx.(*inlineContext)
	if !inline {
		return nil, false
	}
	select {
	case c.conn.slots <- struct{}{}:
	default:
		return nil, false
	}
	c.deferred, c.pause = true, pause
	conn, h := c.conn, c.header
	return func(m wire.Message, err error) {
		conn.replyNow(h, m, err)
		<-conn.slots
	}, true
}

// withdraw takes a Defer back, if there was one.
func (c *inlineContext) withdraw() {
	if c.deferred {
		<-c.conn.slots
	}
}

// maxSoon is the longest frame that may be written in excess of what waits to
// be, in bytes. There are no more of them at a time than messages being served.
const maxSoon = 1 << 10

// replyNow is reply for who must not wait.
func (c *Conn) replyNow(h wire.Header, m wire.Message, err error) {
	if h.Flags&wire.OneWay != 0 {
		c.noteFailed(h, err)
		return
	}
	frame := frames.Get().(*frameBuffer)
	frame.bytes = c.appendReply(frame.bytes[:0], h, m, err)
	if len(frame.bytes) <= maxSoon {
		c.replies.writeNow(frame.bytes, len(c.slots) <= 1)
		frame.release()
		return
	}
	c.spawn(func() { // when the connection has ended nobody waits for it
		c.writeReply(frame.bytes)
		frame.release()
	})
}

// maxDeferred is how many requests are deferred before there is a pause,
// however much input is at hand.
const maxDeferred = 128

// pauses are what is to be called at the next pause.
type pauses []func()

func (p *pauses) add(pause func()) {
	if pause != nil {
		*p = append(*p, pause)
	}
}

func (p *pauses) come() {
	for _, pause := range *p {
		pause()
	}
	clear(*p)
	*p = (*p)[:0]
}
