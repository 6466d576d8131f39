package link

import (
	"context"
	"crypto/ed25519"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/quic-go/quic-go"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// rawPeer speaks QUIC with an identity and whatever certificate it is given,
// and checks nothing.
type rawPeer struct {
	id        mesh.NodeID
	tls       *libp2ptls.Identity
	transport *quic.Transport
}

func newRawPeer(t *testing.T, key ed25519.PrivateKey, chain []byte) *rawPeer {
	t.Helper()
	private, err := crypto.UnmarshalEd25519PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var options []libp2ptls.IdentityOption
	if chain != nil {
		options = append(options, carryMembership(chain))
	}
	id, err := libp2ptls.NewIdentity(private, options...)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &rawPeer{id: admission.NodeIDOf(key.Public().(ed25519.PublicKey)), tls: id, transport: &quic.Transport{Conn: conn}}
	t.Cleanup(func() { p.transport.Close(); conn.Close() })
	return p
}

func (p *rawPeer) dial(ctx context.Context, e *Endpoint, settings *quic.Config) (*quic.Conn, error) {
	conf, _ := p.tls.ConfigForPeer("")
	conf.NextProtos = []string{ALPN}
	return p.transport.Dial(ctx, e.listening[0].conn.LocalAddr(), conf, settings)
}

// listen lets e connect to the peer, which says nothing.
func (p *rawPeer) listen(t *testing.T) (addr string) {
	t.Helper()
	conf, _ := p.tls.ConfigForPeer("")
	conf.NextProtos = []string{ALPN}
	l, err := p.transport.Listen(conf, Limits{}.QUIC())
	if err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

func TestOutsidersAreRefusedByTheDataPlane(t *testing.T) {
	m, foreign := newTestMesh(t), newTestMesh(t)
	member, other, stranger := m.credential(admission.Node), m.credential(admission.Node), foreign.credential(admission.Node)
	expired := m.credentialFor(admission.Grant{Role: admission.Node, Verbs: admission.AllVerbs, NotAfter: time.Now().Add(-time.Hour)})
	tampered := slices.Clone(member.Chain())
	tampered[70] ^= 1 // the verbs of the grant that the root signed
	for _, test := range []struct {
		name   string
		key    ed25519.PrivateKey
		chain  []byte
		reason string
	}{
		{"none", member.Key(), nil, "no membership certificate"},
		{"other mesh", stranger.Key(), stranger.Chain(), "for another mesh"},
		{"tampered", member.Key(), tampered, "tampered"},
		{"cut short", member.Key(), member.Chain()[:80], "damaged"},
		{"of another peer", member.Key(), other.Chain(), "for another peer"},
		{"expired", expired.Key(), expired.Chain(), "expired"},
	} {
		t.Run(test.name, func(t *testing.T) {
			log := newLogBuffer()
			e := m.node(log.config)
			outsider := newRawPeer(t, test.key, test.chain)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()

			if qc, err := outsider.dial(ctx, e, Limits{}.QUIC()); err == nil {
				<-qc.Context().Done() // the dialler is told after its own side of the handshake
				wantKind(t, reasonOf(context.Cause(qc.Context()), e.ID()), mesh.Denied)
			}
			log.await(t, test.reason)
			if len(e.Conns()) > 0 {
				t.Error("the outsider is connected")
			}

			log.reset()
			_, err := e.Connect(ctx, outsider.id, []string{outsider.listen(t)})
			wantKind(t, err, mesh.Denied)
			if !strings.Contains(err.Error(), test.reason) {
				t.Errorf("%v: expected %q", err, test.reason)
			}
			log.await(t, test.reason)
		})
	}
}

func TestClientsAreNotDialled(t *testing.T) {
	m := newTestMesh(t)
	credential := m.credential(admission.Client)
	client := newRawPeer(t, credential.Key(), credential.Chain())
	_, err := m.node().Connect(t.Context(), client.id, []string{client.listen(t)})
	wantKind(t, err, mesh.Denied)
}

func TestRevokedPeersAreRefusedAndBothSidesLogWhy(t *testing.T) {
	m := newTestMesh(t)
	insideLog, outsideLog := newLogBuffer(), newLogBuffer()
	outside := m.node(outsideLog.config)
	inside := m.node(insideLog.config, func(c *Config) {
		c.Revoked = func(member admission.Member) bool { return member.ID == outside.ID() }
	})
	_, err := outside.Connect(t.Context(), inside.ID(), inside.Addrs())
	wantKind(t, err, mesh.Denied)
	insideLog.await(t, "was revoked")
	outsideLog.await(t, "refused this node's certificate")

	_, err = inside.Connect(t.Context(), outside.ID(), outside.Addrs())
	wantKind(t, err, mesh.Denied)
	if !strings.Contains(err.Error(), "revoked") {
		t.Errorf("%v: expected that it says revoked", err)
	}
}

func TestAnotherPeerAtTheAddressIsRefused(t *testing.T) {
	m := newTestMesh(t)
	a, b, c := m.node(), m.node(), m.node()
	_, err := a.Connect(t.Context(), b.ID(), c.Addrs())
	wantKind(t, err, mesh.Denied)
}

func TestVersions(t *testing.T) {
	for _, test := range []struct {
		ours, theirs versions
		want         uint32 // 0: none in common
	}{
		{versions{1, 1}, versions{1, 1}, 1},
		{versions{1, 2}, versions{1, 1}, 1}, // N with N-1
		{versions{2, 3}, versions{1, 2}, 2}, // N with N-1, later
		{versions{3, 4}, versions{1, 2}, 0}, // N with N-2
		{versions{1, 1}, versions{2, 3}, 0},
	} {
		got, err := test.ours.common(test.theirs)
		if got != test.want || (err == nil) != (test.want > 0) {
			t.Errorf("%v and %v: %d, %v: expected %d", test.ours, test.theirs, got, err, test.want)
		}
	}
}

func TestVersionsAreNegotiatedInHello(t *testing.T) {
	m := newTestMesh(t)
	speaking := func(v versions, log *logBuffer) *Endpoint {
		c := Config{Credential: m.credential(admission.Node), Handler: echo{}, Listen: []string{"127.0.0.1:0"}}
		log.config(&c)
		e, err := listen(c, v)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { e.Close() })
		return e
	}
	log := newLogBuffer()
	old, current, future := speaking(versions{1, 2}, log), speaking(versions{2, 3}, log), speaking(versions{4, 5}, log)
	c := m.connect(old, current)
	if _, err := c.Call(t.Context(), &pb.Put{Op: []byte("hi")}); err != nil || c.greeting.version != 2 {
		t.Errorf("version %d, %v: expected 2", c.greeting.version, err)
	}
	_, err := old.Connect(t.Context(), future.ID(), future.Addrs())
	wantKind(t, err, mesh.Conflict)
	if !strings.Contains(err.Error(), "versions 1 to 2: expected some of 4 to 5") {
		t.Errorf("%v: expected both ranges", err)
	}
	log.await(t, "versions 1 to 2: expected some of 4 to 5")
}

func TestListenRefusesBadConfiguration(t *testing.T) {
	m := newTestMesh(t)
	good := Config{Credential: m.credential(admission.Node), Handler: echo{}}
	for name, change := range map[string]func(*Config){
		"no credential":      func(c *Config) { c.Credential = admission.Credential{} },
		"no handler":         func(c *Config) { c.Handler = nil },
		"listen address":     func(c *Config) { c.Listen = []string{"nonsense"} },
		"advertised address": func(c *Config) { c.Advertise = []string{"nonsense"} },
		"negative timeout":   func(c *Config) { c.Limits.IdleTimeout = -time.Second },
		"no requests":        func(c *Config) { c.Limits.InFlight = -1 },
		"no large frame":     func(c *Config) { c.Limits.LargeBytes = 1 },
	} {
		c := good
		change(&c)
		_, err := Listen(c)
		if mesh.KindOf(err) != mesh.Invalid || err == nil {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
	occupied := m.node()
	good.Listen = occupied.Addrs()
	_, err := Listen(good)
	wantKind(t, err, mesh.Unavailable)
}
