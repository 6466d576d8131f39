package link

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"

	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/quic-go/quic-go"

	"github.com/virga-mesh/virga/mesh/admission"
)

// Shared is one socket of an Endpoint as libp2p sees it. With a Listen that
// returns quicreuse.QUICListener wrapped around it, it is a
// quicreuse.QUICTransport, to be lent by ConnManager.LendTransport.
//
// Every connection that libp2p makes or takes through it is held to the same
// rule as those of the data plane: inside the handshake the peer must prove
// membership, and the role of a node.
type Shared struct {
	socket   *socket
	identity *identity
	limits   Limits

	mu       sync.Mutex
	listener *SharedListener
}

// libp2pStreams is how many streams a libp2p peer may have open: what
// quicreuse allows.
const libp2pStreams = 256

// sharedQueue is how many of libp2p's connections may wait to be accepted.
const sharedQueue = 64

// Shared gives the sockets, in the order of Config.Listen.
func (e *Endpoint) Shared() []*Shared {
	var shared []*Shared
	for _, s := range e.listening {
		shared = append(shared, s.shared)
	}
	return shared
}

// TLSOptions make libp2p's TLS identity carry the membership certificate:
// for libp2pquic.WithTLSIdentityOption.
func (e *Endpoint) TLSOptions() []libp2ptls.IdentityOption {
	return []libp2ptls.IdentityOption{carryMembership(e.config.Credential.Chain())}
}

// Network is "udp4" or "udp6".
func (s *Shared) Network() string { return s.socket.network }

// PacketConn is the socket, for LendTransport to learn the address; it must
// not be read, written or closed.
func (s *Shared) PacketConn() net.PacketConn { return s.socket.conn }

// Listen takes the connections whose protocol is not the data plane's. One
// listener at a time.
func (s *Shared) Listen(tlsConf *tls.Config, quicConf *quic.Config) (*SharedListener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return nil, fmt.Errorf("link: the socket %s has a listener for other protocols already", s.socket.conn.LocalAddr())
	}
	s.listener = &SharedListener{
		shared: s, tls: tlsConf, quic: quicConf,
		queue: make(chan *quic.Conn, sharedQueue), closed: make(chan struct{}),
	}
	return s.listener, nil
}

func (s *Shared) current() *SharedListener {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listener
}

// Dial connects from the shared port.
func (s *Shared) Dial(ctx context.Context, addr net.Addr, tlsConf *tls.Config, quicConf *quic.Config) (*quic.Conn, error) {
	quicConf = quicConf.Clone()
	quicConf.MaxIdleTimeout, quicConf.KeepAlivePeriod = s.limits.IdleTimeout, s.limits.KeepAlive
	quicConf.HandshakeIdleTimeout = s.limits.HandshakeTimeout
	return s.socket.transport.Dial(ctx, addr, s.identity.guard(tlsConf, addr.String(), admission.Node), quicConf)
}

// WriteTo sends a packet that is not QUIC's.
func (s *Shared) WriteTo(b []byte, addr net.Addr) (int, error) {
	return s.socket.transport.WriteTo(b, addr)
}

// ReadNonQUICPacket receives a packet that is not QUIC's.
func (s *Shared) ReadNonQUICPacket(ctx context.Context, b []byte) (int, net.Addr, error) {
	return s.socket.transport.ReadNonQUICPacket(ctx, b)
}

// Close does nothing: the Endpoint owns the socket.
func (s *Shared) Close() error { return nil }

// configFor gives libp2p's TLS configuration for a handshake, guarded.
func (s *Shared) configFor(info *tls.ClientHelloInfo, remote string) (*tls.Config, error) {
	l := s.current()
	if l == nil {
		return nil, fmt.Errorf("link: protocols %q are not spoken here: expected %q", info.SupportedProtos, ALPN)
	}
	conf := l.tls
	if conf.GetConfigForClient != nil {
		specific, err := conf.GetConfigForClient(info)
		if err != nil {
			return nil, err
		}
		if specific != nil {
			conf = specific
		}
	}
	return s.identity.guard(conf, remote, admission.Node), nil
}

// allowWindowIncrease lets the data plane's windows grow, and asks libp2p's
// resource manager for those of libp2p.
func (s *Shared) allowWindowIncrease(qc *quic.Conn, delta uint64) bool {
	if qc.ConnectionState().TLS.NegotiatedProtocol == ALPN {
		return true
	}
	l := s.current()
	return l != nil && (l.quic.AllowConnectionWindowIncrease == nil || l.quic.AllowConnectionWindowIncrease(qc, delta))
}

// deliver queues a connection for libp2p.
func (s *Shared) deliver(qc *quic.Conn) {
	code, text := closeWith(errShutdown)
	l := s.current()
	if l == nil {
		qc.CloseWithError(code, text)
		return
	}
	select {
	case l.queue <- qc:
	default:
		qc.CloseWithError(code, "too many connections wait to be accepted")
	}
}

// SharedListener hands out the connections that are not the data plane's. It
// is a quicreuse.QUICListener.
type SharedListener struct {
	shared *Shared
	tls    *tls.Config
	quic   *quic.Config
	queue  chan *quic.Conn
	closed chan struct{}
	once   sync.Once
}

// Accept gives the next connection.
func (l *SharedListener) Accept(ctx context.Context) (*quic.Conn, error) {
	select {
	case qc := <-l.queue:
		return qc, nil
	case <-l.closed:
		return nil, quic.ErrServerClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Close stops the listener; the socket stays.
func (l *SharedListener) Close() error {
	l.once.Do(func() {
		l.shared.mu.Lock()
		l.shared.listener = nil
		l.shared.mu.Unlock()
		close(l.closed)
		l.drain()
	})
	return nil
}

func (l *SharedListener) drain() {
	code, text := closeWith(errShutdown)
	for {
		select {
		case qc := <-l.queue:
			qc.CloseWithError(code, text)
		default:
			return
		}
	}
}

// Addr is the socket's address.
func (l *SharedListener) Addr() net.Addr { return l.shared.socket.conn.LocalAddr() }
