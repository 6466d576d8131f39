package link

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/virga-mesh/virga/mesh"
)

// directBytes is how much may be handed to QUIC without knowing that what went
// before has left: about a packet. Beyond, frames are gathered while the ones
// before them leave.
const directBytes = 1400

// sendStream is what a frameWriter needs of a *quic.Stream.
type sendStream interface {
	Write([]byte) (int, error) // waits until nearly all has left
	TryWriteAll([]byte) error  // does not wait: all or quic.ErrWouldBlock
}

// frameWriter writes frames of many goroutines to one stream, in order. While
// little is under way, a frame goes to QUIC on the goroutine that brings it,
// which costs no hand-off. Under load, frames gather in a buffer while one
// goroutine writes what gathered before.
type frameWriter struct {
	stream sendStream
	limit  int               // of pending, in bytes
	spawn  func(func()) bool // starts a goroutine of the connection; false when it has ended

	mu      sync.Mutex
	pending []byte
	spare   []byte        // the buffer that was pending before
	writing bool          // a goroutine writes what is pending
	space   chan struct{} // closed when pending was taken; nil while nobody waits for that
	err     error         // of the stream: it takes no more
	sent    uint64        // bytes handed to QUIC, ever

	left   atomic.Uint64 // of those, known to have left
	rounds atomic.Uint64 // writes finished by the writing goroutine
	watch  stuckWatch
}

// write hands frame over; the caller may reuse it afterwards. Quiet says that
// nothing else is likely to be written at the same time, so that there is
// nothing to gather. It waits only while pending is full, until ctx ends. The
// mark that it returns is for arrived.
func (w *frameWriter) write(ctx context.Context, frame []byte, quiet bool) (mark uint64, err error) {
	w.mu.Lock()
	for w.err == nil && !(quiet && w.writeDirect(frame)) {
		if len(w.pending) == 0 || len(w.pending)+len(frame) <= w.limit {
			w.enqueue(frame)
			break
		}
		if err := w.awaitSpace(ctx); err != nil {
			w.mu.Unlock()
			return 0, err
		}
	}
	mark, err = w.sent+uint64(len(w.pending)), w.err
	w.mu.Unlock()
	return mark, err
}

// writeNow hands over a frame that is short and must not wait, even when pending is full.
func (w *frameWriter) writeNow(frame []byte, quiet bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil && !(quiet && w.writeDirect(frame)) {
		w.enqueue(frame)
	}
}

// writeDirect hands frame to QUIC, unless more is on its way already than may
// be, and reports whether it did, or the stream takes no more. w.mu is held.
func (w *frameWriter) writeDirect(frame []byte) bool {
	if w.writing || w.sent+uint64(len(frame)) > w.left.Load()+directBytes {
		return false
	}
	switch err := w.stream.TryWriteAll(frame); {
	case err == nil:
		w.sent += uint64(len(frame))
	case errors.Is(err, quic.ErrWouldBlock):
		return false
	default:
		w.err = err
	}
	return true
}

// enqueue appends to pending and sees that it is written. w.mu is held.
func (w *frameWriter) enqueue(frame []byte) {
	w.pending = append(w.pending, frame...)
	if !w.writing {
		w.writing = w.spawn(w.flush)
	}
}

// awaitSpace waits, without w.mu, until pending was taken.
func (w *frameWriter) awaitSpace(ctx context.Context) error {
	if w.space == nil {
		w.space = make(chan struct{})
	}
	space := w.space
	w.mu.Unlock()
	defer w.mu.Lock()
	select {
	case <-space:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// maxSpare bounds the buffers that a writer keeps while it has nothing to write.
const maxSpare = 64 << 10

// flush writes until nothing is pending. It lets the goroutines that are ready
// to run go first: under load they bring frames that share its packets, which
// doubles the throughput (docs/rationale/streams.md).
func (w *frameWriter) flush() {
	runtime.Gosched()
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.pending) > 0 && w.err == nil {
		batch := w.pending
		w.pending, w.spare = w.spare[:0], nil
		w.releaseWaiting()
		w.mu.Unlock()
		_, err := w.stream.Write(batch)
		w.rounds.Add(1)
		w.mu.Lock()
		if cap(batch) <= maxSpare {
			w.spare = batch[:0]
		}
		w.sent += uint64(len(batch))
		w.leftUpTo(w.sent) // but for less than a packet, which does no harm
		if w.err == nil {
			w.err = err
		}
	}
	w.releaseWaiting()
	w.writing = false
}

func (w *frameWriter) releaseWaiting() {
	if w.space != nil {
		close(w.space)
		w.space = nil
	}
}

// arrived tells that the peer has what was handed over up to mark.
func (w *frameWriter) arrived(mark uint64) { w.leftUpTo(mark) }

func (w *frameWriter) leftUpTo(mark uint64) {
	for {
		left := w.left.Load()
		if left >= mark || w.left.CompareAndSwap(left, mark) {
			return
		}
	}
}

// fail makes every later write return err.
func (w *frameWriter) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
	w.releaseWaiting()
}

// stuckWatch remembers how far a writer was when it was last looked at. It
// belongs to the one goroutine that looks.
type stuckWatch struct {
	rounds uint64
	since  time.Time
}

// stuck gives an error when the writing goroutine has been in one write for longer than timeout.
func (w *frameWriter) stuck(now time.Time, timeout time.Duration) error {
	w.mu.Lock()
	writing := w.writing
	w.mu.Unlock()
	rounds := w.rounds.Load()
	if !writing || rounds != w.watch.rounds || w.watch.since.IsZero() {
		w.watch = stuckWatch{rounds: rounds, since: now}
		return nil
	}
	if waited := now.Sub(w.watch.since); waited >= timeout {
		return mesh.Errorf(mesh.Unavailable, "write", "the peer has not read for %v: expected less than %v", waited, timeout)
	}
	return nil
}
