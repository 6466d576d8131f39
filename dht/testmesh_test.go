package dht

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/virga-mesh/virga/internal/sim"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/mesh/link"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testMesh makes nodes of one mesh: real endpoints, on loopback or on a simulated network.
type testMesh struct {
	t       *testing.T
	root    admission.Root
	network *sim.Network // nil: loopback
	log     *slog.Logger
	hosts   int
	// forgetAfter of all nodes; zero: the default.
	forgetAfter time.Duration
}

// testNode is one of them.
type testNode struct {
	*DHT
	endpoint *link.Endpoint
	settings nodeSettings
	stop     context.CancelFunc
	stopped  chan error
	events   *eventLog

	lock    sync.Mutex
	sockets []net.PacketConn
}

// nodeSettings are what a node needs to start again as itself.
type nodeSettings struct {
	config Config
	host   int
	listen string
}

func newTestMesh(t *testing.T) *testMesh {
	return &testMesh{t: t, root: admission.NewRoot(), log: slog.New(slog.NewTextHandler(logTo(), nil))}
}

// simulated runs a test under virtual time, on a network with the given conditions.
func simulated(t *testing.T, conditions sim.Conditions, f func(t *testing.T, m *testMesh)) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh(t)
		m.network = sim.NewNetwork(1, conditions)
		f(t, m)
	})
}

// lan is a network of one site.
var lan = sim.Conditions{Delay: time.Millisecond}

func (m *testMesh) credential(role admission.Role) admission.Credential {
	m.t.Helper()
	token, err := m.root.NewToken(admission.Grant{Role: role, Verbs: admission.AllVerbs, NotAfter: time.Now().Add(1000 * time.Hour)}, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	credential, err := token.Join(admission.NewKey(), time.Now())
	if err != nil {
		m.t.Fatal(err)
	}
	return credential
}

// settings are those of a new node.
func (m *testMesh) settings(bootstrap ...string) nodeSettings {
	m.hosts++
	s := nodeSettings{config: Config{Credential: m.credential(admission.Node), Bootstrap: bootstrap, ForgetAfter: m.forgetAfter, Log: m.log}, host: m.hosts, listen: "127.0.0.1:0"}
	if m.network != nil {
		s.listen = net.JoinHostPort(sim.HostIP(m.hosts).String(), "7000")
	}
	return s
}

// start runs a node until the test ends, unless it is stopped before.
func (m *testMesh) start(s nodeSettings) *testNode {
	m.t.Helper()
	d, err := New(s.config)
	if err != nil {
		m.t.Fatal(err)
	}
	n := &testNode{DHT: d, settings: s, stopped: make(chan error, 1), events: &eventLog{}}
	d.Watch(n.events.add)
	n.endpoint, err = link.Listen(link.Config{
		Credential: s.config.Credential, Listen: []string{s.listen}, Handler: n, Observer: d, Log: m.log,
		ListenPacket: n.listen(m.listenPacket(s.host)),
	})
	if err != nil {
		m.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	go func() { n.stopped <- d.Run(ctx, n.endpoint) }()
	m.t.Cleanup(func() { n.end(m.t) })
	return n
}

func (m *testMesh) listenPacket(host int) func(network, address string) (net.PacketConn, error) {
	if m.network != nil {
		return m.network.ListenPacket(sim.HostIP(host))
	}
	return func(network, address string) (net.PacketConn, error) {
		addr, err := net.ResolveUDPAddr(network, address)
		if err != nil {
			return nil, err
		}
		return net.ListenUDP(network, addr)
	}
}

// startMany starts n nodes, of which the first is the bootstrap node of the others.
func (m *testMesh) startMany(n int) []*testNode {
	m.t.Helper()
	nodes := []*testNode{m.start(m.settings())}
	for range n - 1 {
		nodes = append(nodes, m.start(m.settings(nodes[0].addr())))
	}
	m.await("the whole view", func() bool { return seeEachOther(nodes) })
	return nodes
}

// await waits for a condition, for a minute of the clock that the test has.
func (m *testMesh) await(what string, condition func() bool) {
	m.t.Helper()
	for deadline := time.Now().Add(time.Minute); !condition(); {
		if time.Now().After(deadline) {
			m.t.Fatalf("waited in vain for %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// listen remembers the sockets, for kill.
func (n *testNode) listen(open func(network, address string) (net.PacketConn, error)) func(network, address string) (net.PacketConn, error) {
	return func(network, address string) (net.PacketConn, error) {
		conn, err := open(network, address)
		if err == nil {
			n.lock.Lock()
			defer n.lock.Unlock()
			n.sockets = append(n.sockets, conn)
		}
		return conn, err
	}
}

func (n *testNode) addr() string { return n.endpoint.Addrs()[0] }

// end stops the node without taking leave, but closes its connections.
func (n *testNode) end(t *testing.T) {
	t.Helper()
	n.stop()
	if n.stopped == nil {
		return
	}
	if err := <-n.stopped; err != nil {
		t.Errorf("Run: %v", err)
	}
	n.stopped = nil
	if err := n.endpoint.Close(); err != nil {
		t.Logf("close the endpoint: %v", err)
	}
}

// kill cuts the node off as a crash does: nobody hears from it again.
func (n *testNode) kill(t *testing.T) {
	t.Helper()
	for _, s := range n.sockets {
		s.Close()
	}
}

// Serve is link.Handler: what a node's router does for the DHT.
func (n *testNode) Serve(_ context.Context, from *link.Conn, req wire.Message) (wire.Message, error) {
	switch m := req.(type) {
	case *pb.Ping:
		return n.HandlePing(from, m)
	case *pb.Members:
		return n.HandleMembers(from, m)
	case *pb.Leaving:
		return nil, n.HandleLeaving(from, m)
	}
	return nil, mesh.Errorf(mesh.Invalid, "serve", "%T is not for the DHT", req)
}

// Inline is link.Handler.
func (n *testNode) Inline(t wire.Type) bool { return true }

// sees reports whether the node's view is exactly these nodes.
func (n *testNode) sees(nodes ...*testNode) bool {
	view := n.View()
	return len(view) == len(nodes) && !slices.ContainsFunc(nodes, func(other *testNode) bool {
		return !slices.ContainsFunc(view, func(p Peer) bool { return p.ID == other.self })
	})
}

func seeEachOther(nodes []*testNode) bool {
	return !slices.ContainsFunc(nodes, func(n *testNode) bool { return !n.sees(nodes...) })
}

// eventLog keeps what a node told of its view.
type eventLog struct {
	lock   sync.Mutex
	events []Event
}

func (l *eventLog) add(e Event) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.events = append(l.events, e)
}

// of gives what was told of one node: true for up.
func (l *eventLog) of(id mesh.NodeID) (ups []bool) {
	l.lock.Lock()
	defer l.lock.Unlock()
	for _, e := range l.events {
		if e.Peer.ID == id {
			ups = append(ups, e.Up)
		}
	}
	return ups
}

// memoryBook is a Book that outlives its node.
type memoryBook struct {
	lock    sync.Mutex
	content []byte
}

func (b *memoryBook) Load() ([]byte, error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.content, nil
}

func (b *memoryBook) Save(content []byte) error {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.content = content
	return nil
}

// logTo is where the nodes' logs go: nowhere, unless VIRGA_TEST_LOG is set.
func logTo() io.Writer {
	if os.Getenv("VIRGA_TEST_LOG") != "" {
		return os.Stderr
	}
	return io.Discard
}
