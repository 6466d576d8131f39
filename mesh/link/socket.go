package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/quic-go/quic-go"
	"golang.org/x/time/rate"

	"github.com/virga-mesh/virga/mesh"
)

// socket is one UDP socket with the QUIC transport on it.
type socket struct {
	network   string // "udp4" or "udp6"
	conn      net.PacketConn
	transport *quic.Transport
	listener  *quic.Listener // nil when the socket only dials
	shared    *Shared
}

// handshakeRate is how many connections a second may begin without proving
// that their source address is not forged, which costs a round trip
// (RFC 9000, section 8.1.2).
const handshakeRate = 1000

func listenUDP(network, address string) (net.PacketConn, error) {
	addr, err := net.ResolveUDPAddr(network, address)
	if err != nil {
		return nil, err
	}
	return net.ListenUDP(network, addr)
}

// networkOf tells the socket family that an address needs. A name counts as
// what it resolves to, and no host at all as IPv4.
func networkOf(address string) (string, error) {
	addr, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return "", mesh.Errorf(mesh.Invalid, "link", "address %q: %w", address, err)
	}
	if len(addr.IP) == 0 || addr.IP.To4() != nil {
		return "udp4", nil
	}
	return "udp6", nil
}

func (e *Endpoint) openSocket(network, address string) (*socket, error) {
	conn, err := e.config.ListenPacket(network, address)
	if err != nil {
		return nil, mesh.Errorf(mesh.Unavailable, "listen on "+address, "%w", err)
	}
	limiter := rate.NewLimiter(handshakeRate, handshakeRate)
	key := e.config.Credential.Key()
	resetKey := quic.StatelessResetKey(derivedKey(key, "stateless reset"))
	tokenKey := quic.TokenGeneratorKey(derivedKey(key, "address token"))
	s := &socket{network: network, conn: conn, transport: &quic.Transport{
		Conn:                conn,
		StatelessResetKey:   &resetKey,
		TokenGeneratorKey:   &tokenKey,
		VerifySourceAddress: func(net.Addr) bool { return !limiter.Allow() },
	}}
	s.shared = &Shared{socket: s, identity: e.identity, limits: e.config.Limits}
	return s, nil
}

// listen starts to take connections, of the data plane and of libp2p.
func (s *socket) listen(e *Endpoint) error {
	tlsConf := &tls.Config{
		MinVersion:             tls.VersionTLS13,
		SessionTicketsDisabled: true,
		GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
			remote := info.Conn.RemoteAddr().String()
			if slices.Contains(info.SupportedProtos, ALPN) {
				return e.identity.guard(e.identity.config(""), remote, rolesTaken...), nil // libp2p's configuration serves one handshake
			}
			return s.shared.configFor(info, remote)
		},
	}
	quicConf := e.config.Limits.QUIC()
	// libp2p's needs, as far as they go beyond ours: its streams, and what its
	// WebTransport negotiates. Ours are bounded by accepting only some.
	quicConf.MaxIncomingStreams = libp2pStreams
	quicConf.EnableDatagrams = true
	quicConf.EnableStreamResetPartialDelivery = true
	quicConf.AllowConnectionWindowIncrease = s.shared.allowWindowIncrease
	listener, err := s.transport.Listen(tlsConf, quicConf)
	if err != nil {
		return mesh.Errorf(mesh.Unavailable, "listen on "+s.conn.LocalAddr().String(), "%w", err)
	}
	s.listener = listener
	return nil
}

// accept takes connections until the socket closes, and sorts them by protocol.
func (s *socket) accept(e *Endpoint) {
	for {
		qc, err := s.listener.Accept(context.Background())
		if err != nil {
			if !errors.Is(err, quic.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
				e.log.Error("the socket takes no more connections", "address", s.conn.LocalAddr(), "reason", err)
			}
			return
		}
		if qc.ConnectionState().TLS.NegotiatedProtocol != ALPN {
			s.shared.deliver(qc)
			continue
		}
		if err := e.admitArrival(qc); err != nil {
			code, text := closeWith(err)
			qc.CloseWithError(code, text)
		}
	}
}

// maxArrivals is how many connections may be between handshake and Hello.
const maxArrivals = 256

func (e *Endpoint) admitArrival(qc *quic.Conn) error {
	select {
	case e.arrivals <- struct{}{}:
	default:
		return mesh.Errorf(mesh.Overloaded, "connection", "%d connections are being set up: expected less than that", maxArrivals)
	}
	if !e.spawn(func() { e.receive(qc, func() { <-e.arrivals }) }) {
		return errShutdown
	}
	return nil
}

// close closes the socket and all that is on it; connections get no notice.
func (s *socket) close() error {
	var errs []error
	if s.listener != nil {
		errs = append(errs, s.listener.Close())
	}
	return errors.Join(append(errs, s.transport.Close(), s.conn.Close())...)
}

// addrs gives where peers reach the socket: its address, or for a wildcard
// that port on each of the machine's interfaces.
func (s *socket) addrs() []string {
	local := s.conn.LocalAddr().(*net.UDPAddr)
	if !local.IP.IsUnspecified() {
		return []string{local.String()}
	}
	var addrs, loopback []string
	interfaces, _ := net.InterfaceAddrs() // without them: no address to tell
	for _, a := range interfaces {
		ip, ok := a.(*net.IPNet)
		if !ok || (ip.IP.To4() != nil) != (s.network == "udp4") || ip.IP.IsLinkLocalUnicast() {
			continue
		}
		addr := net.JoinHostPort(ip.IP.String(), fmt.Sprint(local.Port))
		if ip.IP.IsLoopback() {
			loopback = append(loopback, addr)
		} else {
			addrs = append(addrs, addr)
		}
	}
	if len(addrs) == 0 {
		return loopback
	}
	return addrs
}

// reaches says how well the socket suits a dial to ip: 0 not at all.
func (s *socket) reaches(network string, ip net.IP) int {
	local := s.conn.LocalAddr().(*net.UDPAddr).IP
	switch {
	case s.network != network:
		return 0
	case local.IsUnspecified():
		return 2
	case local.IsLoopback() == ip.IsLoopback():
		return 3
	}
	return 1
}
