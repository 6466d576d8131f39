package link

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func TestCallersShareOneConnection(t *testing.T) {
	m := newTestMesh(t)
	observed := newUpsAndDowns()
	a, b := m.node(func(c *Config) { c.Observer = observed }), m.node()
	conns := make([]*Conn, 50)
	var dialling sync.WaitGroup
	for i := range conns {
		dialling.Go(func() { conns[i] = m.connect(a, b) })
	}
	dialling.Wait()
	for _, c := range conns {
		if c != conns[0] {
			t.Fatal("two connections")
		}
	}
	if again := m.connect(a, b); again != conns[0] {
		t.Error("a later call got another connection")
	}
	if len(observed.ups) != 1 {
		t.Errorf("%d connections came up", len(observed.ups))
	}
	conns[0].CloseWithReason(errors.New("enough"))
	observed.await(t, "down", func(_ []*Conn, downs map[*Conn]error) bool { return downs[conns[0]] != nil })
	if _, standing := a.Conn(b.ID()); standing {
		t.Error("the ended connection is still handed out")
	}
	if m.connect(a, b) == conns[0] {
		t.Error("Connect gave the ended connection")
	}
}

func TestManyDialAtOnce(t *testing.T) {
	const peers = 60 // more than quic-go queues
	m := newTestMesh(t)
	node := m.node()
	clients := make([]*Endpoint, peers)
	for i := range clients {
		clients[i] = m.client()
	}
	var dialling sync.WaitGroup
	for _, client := range clients {
		dialling.Go(func() {
			if _, err := m.connect(client, node).Call(t.Context(), &pb.Put{}); err != nil {
				t.Error(err)
			}
		})
	}
	dialling.Wait()
}

func TestConnectToWhoeverAnswers(t *testing.T) {
	m := newTestMesh(t)
	a, b := m.node(), m.node()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	closed := m.node()
	dead := closed.Addrs()[0]
	closed.Close()
	c, err := a.Connect(ctx, "", []string{dead, a.Addrs()[0], b.Addrs()[0]})
	if err != nil || c.Peer().ID != b.ID() {
		t.Fatalf("%v, expected a connection to the only other that lives", err)
	}
	if again, err := a.Connect(ctx, "", b.Addrs()); again != c || err != nil {
		t.Errorf("a second time: %v, expected the same connection", err)
	}
}

func TestNobodyConnectsToItself(t *testing.T) {
	m := newTestMesh(t)
	log := newLogBuffer()
	a := m.node(log.config)
	for _, id := range []mesh.NodeID{"", a.ID()} {
		_, err := a.Connect(t.Context(), id, a.Addrs())
		if !errors.Is(err, ErrSelf) || mesh.KindOf(err) != mesh.Invalid {
			t.Errorf("%v, want ErrSelf", err)
		}
	}
	if a.Close(); strings.Contains(log.String(), "refused") {
		t.Errorf("it was taken for something to look at:\n%s", log)
	}
}

func TestConnectRefusesBadAddresses(t *testing.T) {
	m := newTestMesh(t)
	a, b := m.node(), m.node()
	for _, addrs := range [][]string{nil, {"nonsense"}, {"127.0.0.1:99999"}} {
		_, err := a.Connect(t.Context(), b.ID(), addrs)
		wantKind(t, err, mesh.Invalid)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	m := newTestMesh(t)
	node := m.node(func(c *Config) { c.Limits.Conns = 1 })
	m.connect(m.client(), node)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := m.client().Connect(ctx, node.ID(), node.Addrs())
	if !errors.Is(err, mesh.Overloaded) {
		t.Errorf("%v, want that it is because of Overloaded", err)
	}
}

func TestCloseTellsThePeers(t *testing.T) {
	m := newTestMesh(t)
	a, b := m.node(), m.node()
	c := m.connect(a, b)
	b.Close()
	select {
	case <-c.Done():
	case <-time.After(4 * time.Second): // less than the idle timeout
		t.Fatal("not told")
	}
	wantKind(t, c.Err(), mesh.Unavailable)
	if err := b.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	if _, err := b.Connect(t.Context(), a.ID(), a.Addrs()); mesh.KindOf(err) != mesh.Unavailable {
		t.Errorf("Connect on a closed endpoint: %v", err)
	}
}

func TestAdvertisedAddresses(t *testing.T) {
	m := newTestMesh(t)
	told := m.node(func(c *Config) { c.Advertise = []string{"node.example:7000"} })
	c := m.connect(m.client(), m.node())
	if len(c.PeerAddrs()) != 1 || c.PeerAddrs()[0] != c.RemoteAddr().String() {
		t.Errorf("the peer says %v, and is at %v", c.PeerAddrs(), c.RemoteAddr())
	}
	if got := told.Addrs(); len(got) != 1 || got[0] != "node.example:7000" {
		t.Errorf("advertises %v", got)
	}
	wildcard := m.node(func(c *Config) { c.Listen = []string{"0.0.0.0:0"} })
	if addrs := wildcard.Addrs(); len(addrs) == 0 {
		t.Error("a wildcard address is advertised as nothing")
	}
	both := m.node(func(c *Config) { c.Listen = []string{"127.0.0.1:0", "[::1]:0"} })
	six := m.connect(m.client(), &Endpoint{member: both.member, addrs: both.Addrs()[1:]})
	if six.Peer().ID != both.ID() {
		t.Error("not reached over IPv6")
	}
}

func TestLaterCallersBringTheirAddresses(t *testing.T) {
	m := newTestMesh(t)
	a, b, wrong := m.node(), m.node(), m.node()
	closed := m.node()
	dead := closed.Addrs()
	closed.Close()
	for name, first := range map[string][]string{"nobody there": dead, "somebody else there": append(dead, wrong.Addrs()...)} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		result := make(chan error, 1)
		go func() { _, err := a.Connect(ctx, b.ID(), first); result <- err }()
		for !a.attempts(b.ID()) {
			runtime.Gosched() // the goroutine above has only to run
		}
		c, err := a.Connect(ctx, b.ID(), b.Addrs())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := <-result; err != nil {
			t.Errorf("%s: the first caller: %v", name, err)
		}
		c.CloseWithReason(errors.New("next"))
		<-c.Done()
		cancel()
	}
}

func (e *Endpoint) attempts(id mesh.NodeID) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.peers.attempts[id] != nil
}
