package link

import (
	"context"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// maxBatch is how many bytes of inline replies are gathered before they are written.
const maxBatch = 16 << 10

// readRequests serves what the peer sends on its stream. Replies to inline
// requests are gathered while more input is at hand, and so is what the
// handler does for those that it answers later.
func (c *Conn) readRequests() {
	var batch []byte
	var pauses pauses
	defer pauses.come()
	for {
		if len(batch) > 0 && (len(batch) >= maxBatch || !c.incoming.ready()) {
			if _, err := c.replies.write(c.ctx, batch, true); err != nil {
				return // the stream takes no more: the connection is ending
			}
			batch = batch[:0]
		}
		if len(pauses) == maxDeferred || !c.incoming.ready() {
			pauses.come()
		}
		h, body, err := c.incoming.next()
		if err != nil {
			c.streamEnded("requests", err)
			return
		}
		if h.Flags&wire.Reply != 0 {
			c.violated(mesh.Errorf(mesh.Invalid, "frame", "a reply on the request stream"))
			return
		}
		batch = c.take(batch, h, body, &pauses)
	}
}

// take serves one frame, or sees that it is served. It appends the reply, if
// there is one already, to batch.
func (c *Conn) take(batch []byte, h wire.Header, body []byte, pauses *pauses) []byte {
	body, by, err := c.inTime(&h, body)
	if err != nil {
		return c.answer(batch, h, nil, err)
	}
	m, err := wire.ParseBody(h.Type, body)
	if err != nil {
		return c.answer(batch, h, nil, err)
	}
	switch m := m.(type) {
	case *pb.Cancel:
		c.serving.cancel(h.ID)
		return batch
	case *pb.Probe:
		return c.answer(batch, h, nil, nil)
	case *pb.Suspect:
		c.endpoint.suspect(mesh.NodeID(m.Node))
		return c.answer(batch, h, nil, nil)
	}
	if c.endpoint.config.Handler.Inline(h.Type) {
		ctx := inlineContext{Context: c.ctx, conn: c, header: h, from: time.Now(), by: by}
		reply, err := c.endpoint.config.Handler.Serve(&ctx, c, m)
		switch {
		case err == ErrMustWait:
			ctx.withdraw()
		case ctx.later != nil:
			pauses.add(ctx.pause)
			return batch
		default:
			return c.answer(batch, h, reply, err)
		}
	}
	if !c.startServing(h, m, by, nil) {
		return c.answer(batch, h, nil, c.overloaded())
	}
	return batch
}

func (c *Conn) overloaded() error {
	return mesh.Errorf(mesh.Overloaded, "serve", "%d messages of this peer are being served: expected less than that", cap(c.slots))
}

// startServing serves m on a goroutine of its own. It is false when too much
// is being served. It may be begun until by, unless that is zero. The release
// function, if any, is called at the end.
func (c *Conn) startServing(h wire.Header, m wire.Message, by time.Time, release func()) bool {
	select {
	case c.slots <- struct{}{}:
	default:
		return false
	}
	ctx, cancel := c.requestContext(h)
	if h.Flags&wire.OneWay == 0 {
		c.serving.add(h.ID, cancel)
	}
	return c.work(func() {
		c.serve(beginningBy(ctx, by), h, m)
		cancel()
		if release != nil {
			release()
		}
		<-c.slots
	})
}

func (c *Conn) serve(ctx context.Context, h wire.Header, m wire.Message) {
	reply, err := c.endpoint.config.Handler.Serve(ctx, c, m)
	if h.Flags&wire.OneWay == 0 {
		c.serving.remove(h.ID)
	}
	c.reply(h, reply, err)
}

func (c *Conn) requestContext(h wire.Header) (context.Context, context.CancelFunc) {
	if h.Timeout > 0 {
		return context.WithTimeout(c.ctx, h.Timeout)
	}
	return context.WithCancel(c.ctx)
}

// reply sends the answer to one request.
func (c *Conn) reply(h wire.Header, m wire.Message, err error) {
	if h.Flags&wire.OneWay != 0 {
		c.noteFailed(h, err)
		return
	}
	frame := frames.Get().(*frameBuffer)
	defer frame.release()
	frame.bytes = c.appendReply(frame.bytes[:0], h, m, err)
	c.writeReply(frame.bytes)
}

// writeReply writes a frame on the stream that its size asks for. When it
// cannot be written, the connection has ended or the peer refuses it: either
// way nobody waits for it.
func (c *Conn) writeReply(frame []byte) {
	if len(frame) <= maxBuffer {
		c.replies.write(c.ctx, frame, len(c.slots) <= 1)
		return
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.endpoint.config.Limits.LargeTimeout)
	defer cancel()
	if err := c.writeLarge(ctx, frame, patience{}); err != nil && c.ctx.Err() == nil {
		c.endpoint.log.Warn("a reply was not taken", "peer", c.peer.ID, "bytes", len(frame), "reason", err)
	}
}

// answer appends the answer to an inline request to batch; a large one leaves on its own.
func (c *Conn) answer(batch []byte, h wire.Header, m wire.Message, err error) []byte {
	if h.Flags&wire.OneWay != 0 {
		c.noteFailed(h, err)
		return batch
	}
	start := len(batch)
	batch = c.appendReply(batch, h, m, err)
	if len(batch)-start <= maxBuffer {
		return batch
	}
	frame := append([]byte(nil), batch[start:]...)
	select {
	case c.slots <- struct{}{}:
		c.spawn(func() {
			defer func() { <-c.slots }()
			c.writeReply(frame)
		})
		return batch[:start]
	default:
		return c.appendReply(batch[:start], h, nil, c.overloaded())
	}
}

// appendReply appends the frame that answers a request.
func (c *Conn) appendReply(dst []byte, h wire.Header, m wire.Message, err error) []byte {
	if err == nil && m == nil {
		m = &pb.Done{}
	}
	answer := wire.Header{Flags: wire.Reply, ID: h.ID}
	if err == nil {
		out, failed := wire.AppendFrame(dst, answer, m)
		if failed == nil {
			failed = c.checkSize(m, len(out)-len(dst))
		}
		if failed == nil {
			return out
		}
		err = failed
	}
	out, failed := wire.AppendFrame(dst, answer, wire.FromError(err, c.endpoint.ID()))
	if failed != nil {
		panic("link: an error cannot be encoded: " + failed.Error())
	}
	return out
}

// noteFailed logs what became of a one-way message, since nobody else is told.
func (c *Conn) noteFailed(h wire.Header, err error) {
	if err != nil && c.ctx.Err() == nil {
		c.endpoint.log.Warn("a one-way message was not served", "peer", c.peer.ID, "type", h.Type, "reason", err)
	}
}

// servingTable knows how to cancel the requests that are being served.
type servingTable struct {
	mu      sync.Mutex
	cancels map[uint64]context.CancelFunc
}

func (t *servingTable) add(id uint64, cancel context.CancelFunc) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cancels[id] = cancel
}

func (t *servingTable) remove(id uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.cancels, id)
}

// cancel cancels a request, once.
func (t *servingTable) cancel(id uint64) {
	t.mu.Lock()
	cancel := t.cancels[id]
	delete(t.cancels, id)
	t.mu.Unlock()
	if cancel != nil {
		cancel() // which may come back here
	}
}

func (t *servingTable) cancelAll() {
	t.mu.Lock()
	cancels := t.cancels
	t.cancels = make(map[uint64]context.CancelFunc)
	t.mu.Unlock()
	for _, cancel := range cancels {
		cancel()
	}
}
