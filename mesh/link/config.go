package link

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/mesh/wire"
)

// ALPN is the data plane's protocol name in the TLS handshake.
const ALPN = "virga/1"

// Handler serves what peers send.
type Handler interface {
	// Serve answers one request; a nil message with a nil error is answered
	// with Done. The context ends with the request's deadline, with the
	// caller's Cancel, and with the connection. What it returns for a one-way
	// message is dropped. It is called from many goroutines.
	Serve(ctx context.Context, from *Conn, req wire.Message) (wire.Message, error)
	// Inline reports whether messages of type t are served on the goroutine
	// that reads the connection: the fastest way, for a Serve that never waits
	// for anything. Inline messages of one connection are served in the order
	// in which they were sent. The context of an inline request has the
	// deadline, but its Done channel closes with the connection only. A Serve
	// that finds that it would have to wait gives ErrMustWait, and is called
	// again on a goroutine of its own; IsInline tells it which call it is. One
	// that has the answer only later, without waiting for it, calls Defer.
	Inline(t wire.Type) bool
}

// ErrMustWait is what Serve gives for an inline request that it can only
// answer by waiting for something.
var ErrMustWait = errors.New("link: the request cannot be served inline")

// Observer is told of connections that can carry requests. For each
// connection ConnUp comes first and ConnDown last, once. A peer that is
// connected again before its old connection is gone is up twice for a moment:
// it is away when Endpoint.Conn no longer finds it. The methods must not
// block, nor call into the Endpoint except for Conn and Conns.
type Observer interface {
	ConnUp(*Conn)
	ConnDown(c *Conn, reason error)
}

// Config says how an Endpoint works. Credential and Handler are required.
type Config struct {
	Credential admission.Credential
	// Listen are the UDP addresses to take connections on, as host:port; port
	// 0 takes a free one. Empty: a client, which only dials.
	Listen []string
	// Advertise are the addresses that peers are told. Empty: those of the
	// sockets, or of the machine's interfaces for a wildcard address.
	Advertise []string
	Handler   Handler
	// Observer may be nil.
	Observer Observer
	Limits   Limits
	// Revoked says that a member is no longer one. It is asked in handshakes
	// and then every CheckInterval for each connection. It may be nil.
	Revoked func(admission.Member) bool
	// ListenPacket opens sockets, for "udp4" or "udp6". Nil: the system's UDP.
	// A simulated network hooks in here.
	ListenPacket func(network, address string) (net.PacketConn, error)
	// Log may be nil: slog.Default.
	Log *slog.Logger
}

// Limits bound what connections use. A zero field means its default.
type Limits struct {
	// MaxFrame is the longest body of a frame, in bytes, to send or to take. Default 64 MiB.
	MaxFrame uint32
	// LargeBytes bounds the large frames that one connection holds in memory
	// at once, in bytes. Default 4 x MaxFrame.
	LargeBytes int64
	// PendingBytes bounds the small frames of one stream that wait to be
	// written; who would add to them waits. Default 1 MiB.
	PendingBytes int
	// InFlight bounds the requests and one-way messages of one peer that are
	// served at once; those beyond are answered with Overloaded. Default 1024.
	InFlight int
	// Conns bounds the connections; peers beyond are refused with Overloaded.
	// Default 4096.
	Conns int
	// HandshakeTimeout bounds one attempt to connect, Hello included. Default 5 s.
	HandshakeTimeout time.Duration
	// IdleTimeout ends a connection from whose other side nothing was heard. Default 5 s.
	IdleTimeout time.Duration
	// KeepAlive is how often an idle connection gives a sign of life. Default 1.5 s.
	KeepAlive time.Duration
	// SilentAfter, and three round trips, is how long nothing is heard from a
	// peer that owes answers until it is Silent. Default 100 ms.
	SilentAfter time.Duration
	// WriteTimeout ends a connection whose other side does not read. Default 10 s.
	WriteTimeout time.Duration
	// LargeTimeout bounds the transfer of one large frame. Default 60 s.
	LargeTimeout time.Duration
	// CheckInterval is how often membership is checked again. Default 1 s.
	CheckInterval time.Duration
}

func (l Limits) withDefaults() Limits {
	l.MaxFrame = cmp.Or(l.MaxFrame, 64<<20)
	l.LargeBytes = cmp.Or(l.LargeBytes, 4*int64(l.MaxFrame))
	l.PendingBytes = cmp.Or(l.PendingBytes, 1<<20)
	l.InFlight = cmp.Or(l.InFlight, 1024)
	l.Conns = cmp.Or(l.Conns, 4096)
	l.HandshakeTimeout = cmp.Or(l.HandshakeTimeout, 5*time.Second)
	l.IdleTimeout = cmp.Or(l.IdleTimeout, 5*time.Second)
	l.KeepAlive = cmp.Or(l.KeepAlive, 1500*time.Millisecond)
	l.SilentAfter = cmp.Or(l.SilentAfter, 100*time.Millisecond)
	l.WriteTimeout = cmp.Or(l.WriteTimeout, 10*time.Second)
	l.LargeTimeout = cmp.Or(l.LargeTimeout, time.Minute)
	l.CheckInterval = cmp.Or(l.CheckInterval, time.Second)
	return l
}

func (l Limits) validate() error {
	for name, d := range map[string]time.Duration{
		"HandshakeTimeout": l.HandshakeTimeout, "IdleTimeout": l.IdleTimeout, "KeepAlive": l.KeepAlive, "SilentAfter": l.SilentAfter,
		"WriteTimeout": l.WriteTimeout, "LargeTimeout": l.LargeTimeout, "CheckInterval": l.CheckInterval,
	} {
		if d < 0 {
			return mesh.Errorf(mesh.Invalid, "link", "%s is %v: expected a positive duration", name, d)
		}
	}
	if l.InFlight < 1 || l.Conns < 1 || l.PendingBytes < 1 || l.LargeBytes < int64(l.MaxFrame) {
		return mesh.Errorf(mesh.Invalid, "link", "InFlight is %d, Conns %d, PendingBytes %d, LargeBytes %d: expected at least 1, 1, 1 and MaxFrame, which is %d",
			l.InFlight, l.Conns, l.PendingBytes, l.LargeBytes, l.MaxFrame)
	}
	return nil
}

// Bounds of what a peer may have open on one connection.
const (
	maxRequestStreams = 1  // bidirectional, opened by the peer
	maxLargeStreams   = 16 // unidirectional, opened by the peer
)

// QUIC gives the QUIC settings of the data plane, as used for these limits.
func (l Limits) QUIC() *quic.Config {
	l = l.withDefaults()
	return &quic.Config{
		Versions:              []quic.Version{quic.Version1},
		HandshakeIdleTimeout:  l.HandshakeTimeout,
		MaxIdleTimeout:        l.IdleTimeout,
		KeepAlivePeriod:       l.KeepAlive,
		MaxIncomingStreams:    maxRequestStreams,
		MaxIncomingUniStreams: maxLargeStreams,
	}
}

func (c Config) withDefaults() Config {
	c.Limits = c.Limits.withDefaults()
	if c.ListenPacket == nil {
		c.ListenPacket = listenUDP
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

func (c Config) validate() error {
	if c.Credential.IsZero() {
		return mesh.Errorf(mesh.Invalid, "link", "no credential: expected one from a join token")
	}
	if c.Handler == nil {
		return mesh.Errorf(mesh.Invalid, "link", "no Handler: expected one that serves what peers send")
	}
	for _, addr := range c.Advertise {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return mesh.Errorf(mesh.Invalid, "link", "advertised address %q: expected host:port", addr)
		}
	}
	return c.Limits.validate()
}
