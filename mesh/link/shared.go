package link

import (
	"context"
	"crypto/tls"
	"net"

	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/quic-go/quic-go"
)

// Shared is one socket of an Endpoint as libp2p sees it. With a Listen that
// returns quicreuse.QUICListener wrapped around it, it is a
// quicreuse.QUICTransport, to be lent by ConnManager.LendTransport.
//
// Every connection that libp2p makes or takes through it is held to the same
// rule as those of the data plane: inside the handshake the peer must prove
// membership, and the role of a node.
type Shared struct{}

// Shared gives the sockets, in the order of Config.Listen.
func (e *Endpoint) Shared() []*Shared { return nil }

// TLSOptions make libp2p's TLS identity carry the membership certificate:
// for libp2pquic.WithTLSIdentityOption.
func (e *Endpoint) TLSOptions() []libp2ptls.IdentityOption { return nil }

// Network is "udp4" or "udp6".
func (s *Shared) Network() string { return "" }

// PacketConn is the socket, for LendTransport to learn the address; it must
// not be read, written or closed.
func (s *Shared) PacketConn() net.PacketConn { return nil }

// Listen takes the connections whose protocol is not the data plane's. One
// listener at a time.
func (s *Shared) Listen(tlsConf *tls.Config, quicConf *quic.Config) (*SharedListener, error) {
	return nil, nil
}

// Dial connects from the shared port.
func (s *Shared) Dial(ctx context.Context, addr net.Addr, tlsConf *tls.Config, quicConf *quic.Config) (*quic.Conn, error) {
	return nil, nil
}

// WriteTo sends a packet that is not QUIC's.
func (s *Shared) WriteTo(b []byte, addr net.Addr) (int, error) { return 0, nil }

// ReadNonQUICPacket receives a packet that is not QUIC's.
func (s *Shared) ReadNonQUICPacket(ctx context.Context, b []byte) (int, net.Addr, error) {
	return 0, nil, nil
}

// Close does nothing: the Endpoint owns the socket.
func (s *Shared) Close() error { return nil }

// SharedListener hands out the connections that are not the data plane's. It
// is a quicreuse.QUICListener.
type SharedListener struct{}

// Accept gives the next connection.
func (l *SharedListener) Accept(ctx context.Context) (*quic.Conn, error) { return nil, nil }

// Close stops the listener; the socket stays.
func (l *SharedListener) Close() error { return nil }

// Addr is the socket's address.
func (l *SharedListener) Addr() net.Addr { return nil }
