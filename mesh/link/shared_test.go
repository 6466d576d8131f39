package link

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/quic-go/quic-go"
	"go.uber.org/fx"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// lent makes a Shared what quicreuse wants.
type lent struct{ *Shared }

func (l lent) Listen(tlsConf *tls.Config, quicConf *quic.Config) (quicreuse.QUICListener, error) {
	return l.Shared.Listen(tlsConf, quicConf)
}

// onAll tells a socket's address as a wildcard's, the only kind that quicreuse borrows.
type onAll struct{ net.PacketConn }

func (o onAll) LocalAddr() net.Addr {
	return &net.UDPAddr{IP: net.IPv4zero, Port: portOf(o.PacketConn)}
}

func portOf(conn net.PacketConn) int { return conn.LocalAddr().(*net.UDPAddr).Port }

// libp2pOn builds a libp2p host on an endpoint's socket.
func libp2pOn(t *testing.T, e *Endpoint) host.Host {
	t.Helper()
	key, err := crypto.UnmarshalEd25519PrivateKey(e.config.Credential.Key())
	if err != nil {
		t.Fatal(err)
	}
	shared := e.Shared()[0]
	reuse := func(lc fx.Lifecycle) (*quicreuse.ConnManager, error) {
		cm, err := quicreuse.NewConnManager(quic.StatelessResetKey{}, quic.TokenGeneratorKey{})
		if err != nil {
			return nil, err
		}
		lc.Append(fx.StopHook(cm.Close))
		_, err = cm.LendTransport(shared.Network(), lent{shared}, onAll{shared.PacketConn()})
		return cm, err
	}
	return hostOn(t, fmt.Sprintf("/ip4/0.0.0.0/udp/%d/quic-v1", portOf(shared.PacketConn())),
		libp2p.Identity(key), libp2p.QUICReuse(reuse),
		libp2p.Transport(libp2pquic.NewTransport, libp2pquic.WithTLSIdentityOption(e.TLSOptions()...)))
}

// careless is a libp2p host that shows e's certificate, and asks nothing of others.
func careless(t *testing.T, e *Endpoint) host.Host {
	t.Helper()
	key, err := crypto.UnmarshalEd25519PrivateKey(e.config.Credential.Key())
	if err != nil {
		t.Fatal(err)
	}
	return hostOn(t, "/ip4/127.0.0.1/udp/0/quic-v1", libp2p.Identity(key), libp2p.Transport(libp2pquic.NewTransport, libp2pquic.WithTLSIdentityOption(e.TLSOptions()...)))
}

func hostOn(t *testing.T, addr string, options ...libp2p.Option) host.Host {
	t.Helper()
	h, err := libp2p.New(append(options, libp2p.ListenAddrStrings(addr), libp2p.DisableRelay())...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// infoOf tells how to reach a host over loopback.
func infoOf(h host.Host) peer.AddrInfo {
	info := peer.AddrInfo{ID: h.ID()}
	for _, addr := range h.Addrs() {
		if manet.IsIPLoopback(addr) {
			info.Addrs = append(info.Addrs, addr)
		}
	}
	return info
}

func TestBothProtocolsOnOnePort(t *testing.T) {
	m := newTestMesh(t)
	a, b := m.node(), m.node()
	ha, hb := libp2pOn(t, a), libp2pOn(t, b)
	if mesh.NodeID(hb.ID()) != b.ID() {
		t.Fatalf("libp2p calls it %s, the data plane %s", hb.ID(), b.ID())
	}
	hb.SetStreamHandler("/test/echo", func(s network.Stream) {
		io.Copy(s, s)
		s.Close()
	})
	if err := ha.Connect(t.Context(), infoOf(hb)); err != nil {
		t.Fatal(err)
	}
	stream, err := ha.NewStream(t.Context(), hb.ID(), "/test/echo")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(stream, "over libp2p")
	stream.CloseWrite()
	if got, err := io.ReadAll(stream); string(got) != "over libp2p" || err != nil {
		t.Errorf("libp2p echoed %q, %v", got, err)
	}
	reply, err := m.connect(a, b).Call(t.Context(), &pb.Put{Op: []byte("over the data plane")})
	if err != nil || string(cellOf(reply)) != "over the data plane" {
		t.Errorf("the data plane echoed %v, %v", reply, err)
	}
	local := func(h host.Host) string { return h.Network().Conns()[0].LocalMultiaddr().String() }
	if port := portOf(a.Shared()[0].PacketConn()); !strings.Contains(local(ha), fmt.Sprint(port)) {
		t.Errorf("libp2p dialled from %s, not from port %d", local(ha), port)
	}
}

func TestOutsidersAreRefusedByLibp2p(t *testing.T) {
	m, foreign := newTestMesh(t), newTestMesh(t)
	outsiders := map[string]struct {
		host   host.Host
		reason string
	}{
		"no certificate": {hostOn(t, "/ip4/127.0.0.1/udp/0/quic-v1", libp2p.Transport(libp2pquic.NewTransport)), "no membership certificate"},
		"other mesh":     {careless(t, foreign.node()), "for another mesh"},
		"a client":       {careless(t, m.client()), "for role client: expected node"},
	}
	for name, outsider := range outsiders {
		t.Run(name, func(t *testing.T) {
			log := newLogBuffer()
			inside := libp2pOn(t, m.node(log.config))
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()

			outsider.host.Connect(ctx, infoOf(inside)) // TLS 1.3: the dialler may learn of the refusal later
			log.await(t, outsider.reason)
			if err := openStream(ctx, outsider.host, inside); err == nil {
				t.Error("the outsider opened a stream")
			}

			log.reset()
			if err := inside.Connect(ctx, infoOf(outsider.host)); err == nil {
				t.Error("the member connected to the outsider")
			}
			log.await(t, outsider.reason)
		})
	}
}

func openStream(ctx context.Context, from, to host.Host) error {
	from.Peerstore().AddAddrs(to.ID(), infoOf(to).Addrs, time.Hour)
	stream, err := from.NewStream(ctx, to.ID(), "/ipfs/ping/1.0.0")
	if err != nil {
		return err
	}
	_, err = stream.Read(make([]byte, 1))
	return err
}

func TestSharedWithoutListenerRefusesOtherProtocols(t *testing.T) {
	m := newTestMesh(t)
	a, b := m.node(), m.node()
	conf := a.identity.config(b.ID())
	conf.NextProtos = []string{"libp2p"}
	_, err := a.Shared()[0].Dial(t.Context(), b.Shared()[0].PacketConn().LocalAddr(), conf, &quic.Config{})
	if err == nil {
		t.Error("connected, though nothing speaks libp2p there")
	}
}
