package link

import (
	"context"
	"sync"
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
	by     time.Time // until when it may be begun; zero: whenever

	later *Later // once the request is deferred
	pause func()
}

// Deadline is the request's.
func (c *inlineContext) Deadline() (time.Time, bool) {
	if c.header.Timeout == 0 {
		return time.Time{}, false
	}
	return c.from.Add(c.header.Timeout), true
}

// BeginBy is what mesh.BeginBy gives.
func (c *inlineContext) BeginBy() time.Time { return c.by }

// IsInline reports whether ctx is that of an inline request.
func IsInline(ctx context.Context) bool {
	_, inline := ctx.(*inlineContext)
	return inline
}

// Defer lets the Serve of an inline request answer it later, by Reply of what
// it gives. What Serve returns is dropped; but ErrMustWait takes the Defer back,
// and what it gave must not be used then. It is nil where ctx is not that of an
// inline request, or so many messages of the peer are being served that Serve
// has to give ErrMustWait.
//
// pause is called once on the goroutine that reads the connection, as soon as
// no more input is at hand: what requests that come together need can be done
// together.
func Defer(ctx context.Context, pause func()) *Later {
	c, inline := ctx.(*inlineContext)
	if !inline {
		return nil
	}
	select {
	case c.conn.slots <- struct{}{}:
	default:
		return nil
	}
	c.later, c.pause = &Later{conn: c.conn, header: c.header, from: c.from, by: c.by}, pause
	if c.header.Flags&wire.OneWay == 0 {
		c.conn.serving.add(c.header.ID, c.later.end)
	}
	return c.later
}

// withdraw takes a Defer back, if there was one.
func (c *inlineContext) withdraw() {
	if c.later != nil {
		c.later.release()
	}
}

// Later is a request that is answered later.
type Later struct {
	conn   *Conn
	header wire.Header
	from   time.Time
	by     time.Time

	mu    sync.Mutex
	over  bool
	ended func()
}

// Reply answers the request, as Serve would. It is to be called once, from any
// goroutine, and does not wait.
func (l *Later) Reply(m wire.Message, err error) {
	defer l.release()
	l.conn.replyNow(l.header, m, err)
}

func (l *Later) release() {
	if l.header.Flags&wire.OneWay == 0 {
		l.conn.serving.remove(l.header.ID)
	}
	<-l.conn.slots
}

// end says that nobody waits for the answer any more.
func (l *Later) end() {
	l.mu.Lock()
	ended := l.ended
	l.over, l.ended = true, nil
	l.mu.Unlock()
	if ended != nil {
		ended()
	}
}

// WhenEnded has ended called, at most once and perhaps before it returns, when
// nobody waits for the answer any more: the caller has cancelled the request, as
// it does after the deadline, or the connection has ended. It takes the place
// of what was given before.
func (l *Later) WhenEnded(ended func()) {
	l.mu.Lock()
	l.ended = ended
	over := l.over
	l.mu.Unlock()
	if over || l.conn.ctx.Err() != nil {
		l.end()
	}
}

// BeginBy is until when the request may be begun; zero: whenever.
func (l *Later) BeginBy() time.Time { return l.by }

// Context is that of any request, for who has come to wait for something. It
// takes the place of WhenEnded.
func (l *Later) Context() (ctx context.Context, cancel context.CancelFunc) {
	if l.header.Timeout > 0 {
		ctx, cancel = context.WithDeadline(l.conn.ctx, l.from.Add(l.header.Timeout))
	} else {
		ctx, cancel = context.WithCancel(l.conn.ctx)
	}
	l.WhenEnded(cancel)
	return beginningBy(ctx, l.by), cancel
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
