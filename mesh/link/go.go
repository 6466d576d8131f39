package link

import (
	"context"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
)

// Go is Call for a caller that has something else to do meanwhile. done gets
// the reply or the error, once. It runs on the goroutine that reads the
// connection, which it must not hold up, or on one of its own when the context
// ended or the connection did, or before Go returns when nothing was sent.
func (c *Conn) Go(ctx context.Context, req wire.Message, done func(wire.Message, error)) {
	timeout, err := timeLeft(ctx)
	if err != nil {
		done(nil, err)
		return
	}
	w := &waiter{async: &asyncCall{conn: c, done: done}}
	id, ok := w.async.start(ctx, w)
	if !ok {
		done(nil, c.lost())
		return
	}
	send := func() {
		mark, err := c.sendFrame(ctx, wire.Header{ID: id, Timeout: timeout}, req, patience{})
		if err == nil {
			w.async.mark.Store(mark)
		} else if c.calls.take(id) != nil {
			w.async.finish(nil, err)
		}
	}
	if proto.Size(req) <= maxSmallBody {
		send()
		return
	}
	c.spawn(send) // a stream of its own takes its time; when the connection has ended, done is told
}

// asyncCall is what a waiter has in place of a goroutine that waits.
type asyncCall struct {
	conn *Conn
	done func(wire.Message, error)
	mark atomic.Uint64 // of the request, once it is known

	starting sync.Mutex
	unwatch  func() bool // stops watching the context
}

// start makes the call known and watches its context.
func (a *asyncCall) start(ctx context.Context, w *waiter) (id uint64, ok bool) {
	a.starting.Lock()
	defer a.starting.Unlock()
	if id, ok = a.conn.calls.add(w); !ok {
		return 0, false
	}
	a.unwatch = context.AfterFunc(ctx, func() {
		if a.conn.calls.take(id) != nil {
			a.conn.sendCancel(id)
			a.done(nil, mesh.AsError("call", ctx.Err()))
		}
	})
	return id, true
}

// finish tells how the call went. It is for who took the waiter off the table.
func (a *asyncCall) finish(m wire.Message, err error) {
	a.starting.Lock()
	unwatch := a.unwatch
	a.starting.Unlock()
	unwatch()
	a.done(m, err)
}

// arrived is finish for a reply.
func (a *asyncCall) arrived(m wire.Message, err error) {
	if mark := a.mark.Load(); mark != 0 {
		a.conn.requests.arrived(mark)
	}
	a.finish(m, err)
}
