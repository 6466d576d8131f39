package link

import (
	"context"
	"errors"
	"strings"

	"github.com/quic-go/quic-go"

	"github.com/virga-mesh/virga/mesh"
)

// Codes of QUIC's CONNECTION_CLOSE. They are part of the wire format.
const (
	codeShutdown  quic.ApplicationErrorCode = 1     // the endpoint closes
	codeDuplicate quic.ApplicationErrorCode = 2     // another connection of the same two peers stays
	codeKind      quic.ApplicationErrorCode = 0x100 // + mesh.ErrorKind: the reason is an error
)

// codeStream resets a stream that is not wanted any more.
const codeStream quic.StreamErrorCode = 1

// maxReason bounds the text of a reason, so that it fits one packet.
const maxReason = 512

var (
	errShutdown  = errors.New("the endpoint was closed")
	errDuplicate = errors.New("another connection to the same peer stays")
)

// ErrSilent is why a connection ended whose other side did not close it, but
// was not heard for Limits.IdleTimeout; and why CallUnlessSilent gave up before.
var ErrSilent = errors.New("nothing was heard from the peer any more")

// ErrSelf is why a node is not connected to: it is the endpoint itself.
var ErrSelf = errors.New("this is the endpoint's own address")

// closeWith says a reason in QUIC's terms.
func closeWith(reason error) (quic.ApplicationErrorCode, string) {
	switch {
	case errors.Is(reason, errShutdown):
		return codeShutdown, errShutdown.Error()
	case errors.Is(reason, errDuplicate):
		return codeDuplicate, errDuplicate.Error()
	}
	e := mesh.AsError("", reason)
	text := e.Text()
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "")
	}
	return codeKind + quic.ApplicationErrorCode(e.Kind), text
}

// reasonOf reads why a connection to peer failed or ended from quic-go's error.
func reasonOf(err error, peer mesh.NodeID) error {
	var (
		own         *mesh.Error
		application *quic.ApplicationError
		transport   *quic.TransportError
		idle        *quic.IdleTimeoutError
		handshake   *quic.HandshakeTimeoutError
		reset       *quic.StatelessResetError
	)
	unavailable := func(why string) error {
		return &mesh.Error{Kind: mesh.Unavailable, Op: "connection", Node: peer, Msg: why}
	}
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &application) && application.Remote:
		return remoteReason(application, peer)
	case errors.As(err, &transport) && transport.Remote && transport.ErrorCode.IsCryptoError():
		return &mesh.Error{Kind: mesh.Denied, Op: "connection", Node: peer,
			Msg: "the peer refused this node's certificate; its log says why", Err: err}
	case errors.As(err, &transport) && transport.ErrorCode == quic.ConnectionRefused:
		return unavailable("the peer has too many connections under way")
	case errors.As(err, &idle):
		return &mesh.Error{Kind: mesh.Unavailable, Op: "connection", Node: peer, Err: ErrSilent}
	case errors.As(err, &handshake):
		return unavailable("no answer")
	case errors.As(err, &reset):
		return unavailable("the peer does not know the connection: it was restarted")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return unavailable("no answer in time")
	}
	return &mesh.Error{Kind: mesh.Unavailable, Op: "connection", Node: peer, Err: err}
}

func remoteReason(e *quic.ApplicationError, peer mesh.NodeID) error {
	if e.ErrorCode == codeDuplicate {
		return &mesh.Error{Kind: mesh.Unavailable, Op: "connection", Node: peer, Err: errDuplicate}
	}
	kind := mesh.Unavailable
	if e.ErrorCode > codeKind && e.ErrorCode <= codeKind+quic.ApplicationErrorCode(mesh.Conflict) {
		kind = mesh.ErrorKind(e.ErrorCode - codeKind)
	}
	return &mesh.Error{Kind: kind, Op: "connection", Node: peer, Msg: "closed by the peer: " + e.ErrorMessage}
}
