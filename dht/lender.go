package dht

import (
	"crypto/tls"
	"fmt"
	"net"

	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/multiformats/go-multiaddr"
	"github.com/quic-go/quic-go"

	"github.com/virga-mesh/virga/mesh/link"
)

// lender lends the endpoint's sockets to a libp2p host.
type lender struct {
	sockets  []*link.Shared
	manager  *quicreuse.ConnManager
	returned []<-chan struct{}
}

// lend makes libp2p's manager of QUIC connections, with the sockets lent to it.
func (l *lender) lend(reset quic.StatelessResetKey, token quic.TokenGeneratorKey) (*quicreuse.ConnManager, error) {
	manager, err := quicreuse.NewConnManager(reset, token)
	if err != nil {
		return nil, err
	}
	l.manager = manager
	for _, s := range l.lendable() {
		done, err := manager.LendTransport(s.Network(), lentSocket{s}, anyInterface{s.PacketConn()})
		if err != nil {
			return nil, fmt.Errorf("lend socket %s: %w", s.PacketConn().LocalAddr(), err)
		}
		l.returned = append(l.returned, done)
	}
	return manager, nil
}

// lendable are the sockets that libp2p can tell apart: it takes one for each
// port. Those beyond carry the data plane only.
func (l *lender) lendable() []*link.Shared {
	var sockets []*link.Shared
	taken := map[string]bool{}
	for _, s := range l.sockets {
		if at := (anyInterface{s.PacketConn()}).LocalAddr().String(); !taken[at] {
			taken[at] = true
			sockets = append(sockets, s)
		}
	}
	return sockets
}

// listenAddrs are the addresses under which libp2p finds the sockets.
func (l *lender) listenAddrs() []multiaddr.Multiaddr {
	var addrs []string
	for _, s := range l.lendable() {
		addrs = append(addrs, anyInterface{s.PacketConn()}.LocalAddr().String())
	}
	return toMultiaddrs(addrs)
}

// close takes the sockets back. The host must be closed before: it does not
// close the manager, and the manager not the sockets.
func (l *lender) close() error {
	if l.manager == nil {
		return nil
	}
	err := l.manager.Close()
	for _, done := range l.returned {
		<-done
	}
	return err
}

// lentSocket is a socket as a quicreuse.QUICTransport.
type lentSocket struct{ *link.Shared }

func (s lentSocket) Listen(tlsConf *tls.Config, quicConf *quic.Config) (quicreuse.QUICListener, error) {
	return s.Shared.Listen(tlsConf, quicConf)
}

// anyInterface tells a socket's address as if it were bound to all
// interfaces: quicreuse refuses to borrow one that is bound to a single
// address, and looks at nothing but this.
type anyInterface struct{ net.PacketConn }

func (a anyInterface) LocalAddr() net.Addr {
	addr := a.PacketConn.LocalAddr().(*net.UDPAddr)
	if addr.IP.To4() != nil {
		return &net.UDPAddr{IP: net.IPv4zero, Port: addr.Port}
	}
	return &net.UDPAddr{IP: net.IPv6zero, Port: addr.Port}
}
