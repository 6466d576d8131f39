package link

import (
	"sync"

	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// waiter is where a call waits for its reply. The reading goroutine hands it
// the reply's bytes, and the caller decodes them; where nobody waits, it
// decodes them itself.
type waiter struct {
	async *asyncCall    // nil: a goroutine waits on ready
	ready chan struct{} // gets one element a call
	kind  wire.Type
	body  []byte
	err   error
}

func newWaiter() any { return &waiter{ready: make(chan struct{}, 1)} }

// frames are pooled for the whole process: every message needs one for a moment.
var frames = sync.Pool{New: func() any { return new(frameBuffer) }}

// maxPooled is the largest buffer that goes back to a pool, in bytes.
const maxPooled = 64 << 10

// deliver copies the body.
func (w *waiter) deliver(t wire.Type, body []byte) {
	if w.async != nil {
		w.async.arrived(parseReply(t, body))
		return
	}
	w.kind, w.body = t, append(w.body[:0], body...)
	w.ready <- struct{}{}
}

func (w *waiter) fail(err error) {
	if w.async != nil {
		w.async.finish(nil, err)
		return
	}
	w.err = err
	w.ready <- struct{}{}
}

func (w *waiter) reply() (wire.Message, error) {
	if w.err != nil {
		return nil, w.err
	}
	return parseReply(w.kind, w.body)
}

// parseReply reads a reply. It keeps nothing of body.
func parseReply(t wire.Type, body []byte) (wire.Message, error) {
	m, err := wire.ParseBody(t, body)
	if err != nil {
		return nil, err
	}
	if e, ok := m.(*pb.Error); ok {
		return nil, wire.ToError(e)
	}
	return m, nil
}

// clean readies the waiter for another call.
func (w *waiter) clean() *waiter {
	w.err = nil
	if cap(w.body) > maxPooled {
		w.body = nil
	}
	return w
}

// frameBuffer holds a frame while it is written.
type frameBuffer struct{ bytes []byte }

func (b *frameBuffer) release() {
	if cap(b.bytes) <= maxPooled {
		frames.Put(b)
	}
}

// deliverOwned is deliver for a body that becomes the waiter's.
func (w *waiter) deliverOwned(t wire.Type, body []byte) {
	if w.async != nil {
		w.async.arrived(parseReply(t, body))
		return
	}
	w.kind, w.body = t, body
	w.ready <- struct{}{}
}
