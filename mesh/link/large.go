package link

import (
	"context"
	"errors"
	"io"
	"math"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// writeLarge sends a frame on a stream of its own, unless p ends before it has
// gone: then the error wraps ErrSilent, and the frame does not arrive whole.
func (c *Conn) writeLarge(ctx context.Context, frame []byte, p patience) error {
	ctx, cancel := context.WithTimeout(ctx, c.endpoint.config.Limits.LargeTimeout)
	defer cancel()
	if p.silent == nil {
		return c.writeAlone(ctx, frame)
	}
	within, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	c.spawn(func() {
		if err := c.wait(within, nil, p); errors.Is(err, ErrSilent) {
			giveUp(err)
		}
	})
	err := c.writeAlone(within, frame)
	if cause := context.Cause(within); err != nil && errors.Is(cause, ErrSilent) {
		return cause
	}
	return err
}

func (c *Conn) writeAlone(ctx context.Context, frame []byte) error {
	stream, err := c.quic.OpenUniStreamSync(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { stream.CancelWrite(codeStream) })
	defer stop()
	if _, err := c.counted(stream).Write(frame); err != nil {
		stream.CancelWrite(codeStream)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	return stream.Close()
}

// acceptLarge takes the streams of large frames. QUIC bounds how many there
// are at once.
func (c *Conn) acceptLarge() {
	for {
		stream, err := c.quic.AcceptUniStream(context.Background())
		if err != nil {
			return // the connection has ended
		}
		if !c.spawn(func() { c.takeLarge(stream) }) {
			return
		}
	}
}

// takeLarge reads one large frame and hands it on. The frame is always read
// to its end or refused: what nobody reads would block the other streams.
func (c *Conn) takeLarge(stream *quic.ReceiveStream) {
	stream.SetReadDeadline(time.Now().Add(c.endpoint.config.Limits.LargeTimeout))
	h, err := readHeader(stream)
	if err != nil {
		stream.CancelRead(codeStream)
		if c.ctx.Err() == nil {
			c.endpoint.log.Warn("refused a stream", "peer", c.peer.ID, "reason", err)
		}
		return
	}
	if h.Flags&wire.Reply != 0 && !c.calls.waits(h.ID) {
		stream.CancelRead(codeStream)
		return
	}
	release, err := c.admitLarge(h)
	if err != nil {
		stream.CancelRead(codeStream)
		c.refuseLarge(h, err)
		return
	}
	body, err := readBody(stream, h.Length)
	if err != nil {
		release()
		stream.CancelRead(codeStream)
		c.refuseLarge(h, err)
		return
	}
	c.serveLarge(h, body, release)
}

func readHeader(stream io.Reader) (wire.Header, error) {
	var raw [wire.HeaderSize]byte
	if _, err := io.ReadFull(stream, raw[:]); err != nil {
		return wire.Header{}, mesh.Errorf(mesh.Invalid, "frame", "header: %w", err)
	}
	return wire.ParseHeader(raw[:], math.MaxUint32)
}

// admitLarge checks a frame's length and takes its bytes off what the
// connection may hold. The release function gives them back.
func (c *Conn) admitLarge(h wire.Header) (release func(), err error) {
	limits := c.endpoint.config.Limits
	if h.Length > limits.MaxFrame {
		return nil, mesh.Errorf(mesh.Invalid, "frame", "body of %d bytes: expected at most %d", h.Length, limits.MaxFrame)
	}
	if !c.large.TryAcquire(int64(h.Length)) {
		return nil, mesh.Errorf(mesh.Overloaded, "frame", "body of %d bytes: large frames of this connection already fill most of %d bytes", h.Length, limits.LargeBytes)
	}
	return func() { c.large.Release(int64(h.Length)) }, nil
}

// firstPiece bounds what is allocated on the word of a header alone.
const firstPiece = 1 << 20

// readBody reads exactly n bytes and the end of the stream.
func readBody(stream io.Reader, n uint32) ([]byte, error) {
	body := make([]byte, 0, min(n, firstPiece))
	for uint32(len(body)) < n {
		if len(body) == cap(body) {
			grown := make([]byte, len(body), min(2*len(body), int(n)))
			copy(grown, body)
			body = grown
		}
		got, err := stream.Read(body[len(body):cap(body)])
		body = body[:len(body)+got]
		if err != nil && uint32(len(body)) < n {
			return nil, mesh.Errorf(mesh.Invalid, "frame", "%d bytes of a body of %d arrived: %w", len(body), n, err)
		}
	}
	if got, err := io.ReadFull(stream, make([]byte, 1)); got > 0 || err != io.EOF {
		return nil, mesh.Errorf(mesh.Invalid, "frame", "the stream goes on after a body of %d bytes", n)
	}
	return body, nil
}

// refuseLarge tells who waits that a large frame was not taken.
func (c *Conn) refuseLarge(h wire.Header, err error) {
	if h.Flags&wire.Reply == 0 {
		c.reply(h, nil, err)
		return
	}
	if w := c.calls.take(h.ID); w != nil {
		w.fail(&mesh.Error{Kind: mesh.KindOf(err), Op: "reply", Node: c.peer.ID, Err: err})
	}
}

// serveLarge hands a whole large frame to its caller or to the handler.
func (c *Conn) serveLarge(h wire.Header, body []byte, release func()) {
	if h.Flags&wire.Reply != 0 {
		defer release()
		if w := c.calls.take(h.ID); w != nil {
			w.deliverOwned(h.Type, body)
		}
		return
	}
	body, by, err := c.inTime(&h, body)
	if err != nil {
		release()
		c.reply(h, nil, err)
		return
	}
	m, err := wire.ParseBody(h.Type, body)
	if _, cancel := m.(*pb.Cancel); cancel {
		err = mesh.Errorf(mesh.Invalid, "frame", "a Cancel on a stream of its own")
	}
	if err == nil && c.startServing(h, m, by, release) {
		return
	}
	release()
	if err == nil {
		err = c.overloaded()
	}
	c.reply(h, nil, err)
}
