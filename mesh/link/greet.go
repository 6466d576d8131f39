package link

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/mesh/wire"
)

// receive brings up a connection that a peer dialled, and works it until it
// ends. It calls settled when it is known whether the connection stands.
func (e *Endpoint) receive(qc *quic.Conn, settled func()) {
	c, err := e.meet(qc, false, rolesTaken)
	if err == nil {
		err = e.answerHello(c)
	}
	settled()
	if err == nil {
		c.run()
		return
	}
	if !errors.Is(err, errDuplicate) && e.ctx.Err() == nil {
		e.log.Log(e.ctx, refusalLevel(qc, err), "refused a connection", "remote", qc.RemoteAddr(), "reason", err)
	}
	c.abort(err)
}

// refusalLevel is how much a connection that does not stand matters: that a
// node finds itself at an address, or that a dialler changed its mind and
// closed in order, is nothing to look at.
func refusalLevel(qc *quic.Conn, err error) slog.Level {
	var closed *quic.ApplicationError
	left := errors.As(context.Cause(qc.Context()), &closed) && closed.Remote && closed.ErrorCode == codeShutdown
	if left || errors.Is(err, ErrSelf) {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

// meet makes a Conn of a connection whose handshake verified the peer. With
// an error, the Conn is good only for abort.
func (e *Endpoint) meet(qc *quic.Conn, dialled bool, roles []admission.Role) (*Conn, error) {
	member, err := e.memberOn(qc, roles)
	if err == nil && member.ID == e.ID() {
		err = mesh.Errorf(mesh.Invalid, "connect", "%w", ErrSelf)
	}
	return newConn(e, qc, member, dialled), err
}

// abort ends a connection that does not stand.
func (c *Conn) abort(reason error) {
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	c.CloseWithReason(reason)
	c.cancel(reason)
	c.tasks.Wait()
}

func (e *Endpoint) answerHello(c *Conn) error {
	ctx, cancel := context.WithTimeout(e.ctx, e.config.Limits.HandshakeTimeout)
	defer cancel()
	if err := c.awaitHello(ctx); err != nil {
		return err
	}
	if err := c.openRequests(ctx); err != nil {
		return err
	}
	return e.stand(c)
}

// offerHello brings up a connection that was dialled here. It gives another
// connection and errDuplicate when one to that peer stands already.
func (e *Endpoint) offerHello(ctx context.Context, c *Conn) (standing *Conn, err error) {
	if err := c.openRequests(ctx); err != nil {
		return nil, err
	}
	sequence, standing, err := e.mayGreet(ctx, c)
	if err != nil {
		return standing, err
	}
	c.sendHello(sequence)
	err = c.awaitHello(ctx)
	if err == nil {
		err = e.stand(c)
	}
	e.mu.Lock()
	e.peers.ungreet(c.peer.ID)
	e.mu.Unlock()
	return nil, err
}

// mayGreet gives the number of the Hello on a connection that was dialled, as
// soon as no other one to that peer is being begun. When one stands it gives
// that, and errDuplicate.
func (e *Endpoint) mayGreet(ctx context.Context, c *Conn) (uint64, *Conn, error) {
	for {
		e.mu.Lock()
		sequence, standing, wait := e.peers.greet(c.peer.ID)
		e.mu.Unlock()
		switch {
		case standing != nil:
			return 0, standing, errDuplicate
		case wait == nil:
			return sequence, nil, nil
		}
		select {
		case <-wait:
		case <-c.quic.Context().Done():
			return 0, nil, reasonOf(context.Cause(c.quic.Context()), c.peer.ID)
		case <-ctx.Done():
			return 0, nil, reasonOf(ctx.Err(), c.peer.ID)
		}
	}
}

// memberOn reads the peer's membership off a connection whose handshake verified it.
func (e *Endpoint) memberOn(qc *quic.Conn, roles []admission.Role) (admission.Member, error) {
	certificates := qc.ConnectionState().TLS.PeerCertificates
	if len(certificates) != 1 {
		return admission.Member{}, mesh.Errorf(mesh.Denied, "verify identity", "%d certificates: expected 1", len(certificates))
	}
	return e.identity.member(certificates[0], roles...)
}

// stand enters c among the standing connections and tells the observer. On a
// connection that was taken, our Hello goes out before anyone can find c, so
// that it is the first frame.
func (e *Endpoint) stand(c *Conn) error {
	e.mu.Lock()
	if err := e.roomFor(c); err != nil {
		e.mu.Unlock()
		return err
	}
	replaced, ok := e.peers.admit(c)
	if !ok {
		e.mu.Unlock()
		return errDuplicate
	}
	if !c.dialled {
		e.peers.hellos++
		c.sendHello(e.peers.hellos)
	}
	waiting := e.peers.attempts[c.peer.ID]
	e.mu.Unlock()

	if replaced != nil {
		replaced.CloseWithReason(errDuplicate)
	}
	if e.config.Observer != nil {
		e.config.Observer.ConnUp(c)
	}
	if waiting != nil {
		waiting.finish(c, nil)
	}
	return nil
}

// roomFor says why no connection may stand any more, if so. e.mu is held.
func (e *Endpoint) roomFor(c *Conn) error {
	if e.closed {
		return errShutdown
	}
	if limit := e.config.Limits.Conns; !c.dialled && len(e.peers.standing) >= limit {
		return mesh.Errorf(mesh.Overloaded, "connection", "%d peers are connected: expected less than that", limit)
	}
	return nil
}

// drop takes an ended connection off the table and tells the observer.
func (e *Endpoint) drop(c *Conn) {
	e.mu.Lock()
	e.peers.remove(c)
	e.mu.Unlock()
	if e.config.Observer != nil {
		e.config.Observer.ConnDown(c, c.Err())
	}
}

// openRequests opens the stream for our requests.
func (c *Conn) openRequests(ctx context.Context) error {
	stream, err := c.quic.OpenStreamSync(ctx)
	if err != nil {
		return reasonOf(err, c.peer.ID)
	}
	c.requests = &frameWriter{stream: c.counted(stream), limit: c.endpoint.config.Limits.PendingBytes, spawn: c.spawn}
	c.answers = &frameReader{stream: stream}
	return nil
}

func (c *Conn) sendHello(sequence uint64) {
	frame, err := wire.AppendFrame(nil, wire.Header{Flags: wire.OneWay}, c.endpoint.hello(sequence, c.clock()))
	if err != nil {
		panic("link: a Hello cannot be encoded: " + err.Error())
	}
	c.requests.write(c.ctx, frame, true) // when it fails, the connection ends
}

// awaitHello takes the peer's stream and checks the Hello on it.
func (c *Conn) awaitHello(ctx context.Context) error {
	stream, err := c.quic.AcceptStream(ctx)
	if err != nil {
		return reasonOf(err, c.peer.ID)
	}
	c.replies = &frameWriter{stream: c.counted(stream), limit: c.endpoint.config.Limits.PendingBytes, spawn: c.spawn}
	c.incoming = &frameReader{stream: stream}
	stop := context.AfterFunc(ctx, func() { stream.CancelRead(codeStream) })
	h, body, err := c.incoming.next()
	if !stop() {
		return reasonOf(ctx.Err(), c.peer.ID)
	}
	if err != nil {
		return reasonOf(err, c.peer.ID)
	}
	c.greeting, err = c.endpoint.checkHello(h, body)
	c.arrival.Age(c.greeting.sent, time.Since(c.opened))
	return err
}
