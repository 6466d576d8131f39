package link

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/marcopolo/simnet"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// simulation is a packet network under virtual time.
type simulation struct {
	testMesh
	net   simnet.Simnet
	hosts byte
}

// simulate runs f in a bubble of virtual time, on a network with that latency one way.
func simulate(t *testing.T, latency func() time.Duration, f func(t *testing.T, s *simulation)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &simulation{testMesh: newTestMesh(t)}
		s.net.LatencyFunc = func(*simnet.Packet) time.Duration { return latency() }
		s.net.Logger = slog.New(slog.DiscardHandler)
		s.net.Start()
		t.Cleanup(s.net.Close)
		f(t, s)
	})
}

// drawing gives random durations below a bound, for many goroutines.
func drawing(seed uint64) func(most time.Duration) time.Duration {
	var lock sync.Mutex
	random := rand.New(rand.NewPCG(seed, 0))
	return func(most time.Duration) time.Duration {
		lock.Lock()
		defer lock.Unlock()
		return time.Duration(random.Int64N(int64(most)))
	}
}

func fixed(d time.Duration) func() time.Duration { return func() time.Duration { return d } }

// place gives a Config a machine of its own on the network.
func (s *simulation) place(c *Config) (addr string, cut *atomic.Bool) {
	s.hosts++
	ip := net.IPv4(10, 0, 0, s.hosts)
	cut = new(atomic.Bool)
	c.Listen = []string{net.JoinHostPort(ip.String(), "7000")}
	c.ListenPacket = func(_, address string) (net.PacketConn, error) {
		at := &net.UDPAddr{IP: ip, Port: 7000}
		link := simnet.LinkSettings{BitsPerSecond: 1000 * simnet.Mibps}
		return cuttable{s.net.NewEndpoint(at, simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link}), cut}, nil
	}
	return c.Listen[0], cut
}

// cuttable drops what is sent while it is cut.
type cuttable struct {
	*simnet.SimConn
	cut *atomic.Bool
}

func (c cuttable) WriteTo(p []byte, to net.Addr) (int, error) {
	if c.cut.Load() {
		return len(p), nil
	}
	return c.SimConn.WriteTo(p, to)
}

func (s *simulation) node(change ...func(*Config)) (e *Endpoint, cut *atomic.Bool) {
	placed := func(c *Config) { _, cut = s.place(c) }
	return s.open(admission.Node, append([]func(*Config){placed}, change...)...), cut
}

func TestExpiredPeersAreClosed(t *testing.T) {
	simulate(t, fixed(time.Millisecond), func(t *testing.T, s *simulation) {
		a, _ := s.node()
		b, _ := s.node(func(c *Config) {
			c.Credential = s.credentialFor(admission.Grant{Role: admission.Node, Verbs: admission.AllVerbs, NotAfter: time.Now().Add(10 * time.Second)})
		})
		c := s.connect(a, b)
		time.Sleep(9 * time.Second)
		if c.Err() != nil {
			t.Fatalf("closed before its time: %v", c.Err())
		}
		<-c.Done()
		if age := time.Since(c.Peer().NotAfter); age > 3*time.Second {
			t.Errorf("closed %v late", age)
		}
		wantKind(t, c.Err(), mesh.Denied)
	})
}

func TestRevokedPeersAreClosed(t *testing.T) {
	simulate(t, fixed(time.Millisecond), func(t *testing.T, s *simulation) {
		var revoked atomic.Bool
		a, _ := s.node(func(c *Config) { c.Revoked = func(admission.Member) bool { return revoked.Load() } })
		b, _ := s.node()
		c := s.connect(b, a)
		time.Sleep(time.Minute)
		revoked.Store(true)
		<-c.Done()
		wantKind(t, c.Err(), mesh.Denied)
	})
}

func TestSilentPeersAreLost(t *testing.T) {
	simulate(t, fixed(20*time.Millisecond), func(t *testing.T, s *simulation) {
		a, _ := s.node()
		b, cutB := s.node()
		c := s.connect(a, b)
		cutB.Store(true)
		start := time.Now()
		_, err := c.Call(t.Context(), &pb.Put{})
		wantKind(t, err, mesh.Unavailable)
		if took := time.Since(start); took > 8*time.Second {
			t.Errorf("it took %v: expected about the idle timeout of 5s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		heal := time.AfterFunc(12*time.Second, func() { cutB.Store(false) })
		defer heal.Stop()
		if _, err := a.Connect(ctx, b.ID(), b.Addrs()); err != nil {
			t.Errorf("after the network healed: %v", err)
		}
	})
}

func TestConnectGivesUpWithItsContext(t *testing.T) {
	simulate(t, fixed(time.Millisecond), func(t *testing.T, s *simulation) {
		a, _ := s.node()
		b, cut := s.node()
		cut.Store(true)
		for name, kind := range map[string]mesh.ErrorKind{"deadline": mesh.Unavailable, "cancel": mesh.Cancelled} {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			if name == "cancel" {
				time.AfterFunc(time.Second, cancel)
			}
			_, err := a.Connect(ctx, b.ID(), b.Addrs())
			if mesh.KindOf(err) != kind || err == nil {
				t.Errorf("%s: %v, want %s", name, err, kind)
			}
			cancel()
		}
		go func() { time.Sleep(time.Second); a.Close() }()
		_, err := a.Connect(t.Context(), b.ID(), b.Addrs())
		wantKind(t, err, mesh.Unavailable)
		_, err = a.Connect(t.Context(), b.ID(), b.Addrs())
		wantKind(t, err, mesh.Unavailable)
	})
}

func TestNodesThatDialEachOtherSettleOnOneConnection(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	draw := drawing(seed)
	const latency = 20 * time.Millisecond
	for range 60 {
		simulate(t, func() time.Duration { return latency + draw(latency/4) }, func(t *testing.T, s *simulation) {
			a, _ := s.node()
			b, _ := s.node()
			var both sync.WaitGroup
			dialAndCall := func(from, to *Endpoint, after time.Duration) {
				time.Sleep(after)
				c := s.connect(from, to)
				for range 20 {
					if _, err := c.Call(t.Context(), &pb.Put{Op: []byte("x")}); err != nil {
						t.Errorf("lost a request: %v", err)
					}
				}
			}
			both.Go(func() { dialAndCall(a, b, draw(6*latency)) })
			both.Go(func() { dialAndCall(b, a, draw(6*latency)) })
			both.Wait()
			wantOneConnection(t, a, b)
		})
	}
}

func wantOneConnection(t *testing.T, a, b *Endpoint) {
	t.Helper()
	ab, okA := a.Conn(b.ID())
	ba, okB := b.Conn(a.ID())
	if !okA || !okB || ab.dialled == ba.dialled {
		t.Fatalf("not the same connection at both ends: %v %v", okA, okB)
	}
	time.Sleep(time.Minute)
	if ab.Err() != nil || ba.Err() != nil {
		t.Fatalf("it did not stay: %v, %v", ab.Err(), ba.Err())
	}
}

// One looks for the peer itself, the other for whoever is at its address.
func TestTwoDialsToOnePeerSettleOnTheFirstConnection(t *testing.T) {
	for seed := range uint64(20) {
		draw := drawing(seed)
		simulate(t, func() time.Duration { return draw(40 * time.Millisecond) }, func(t *testing.T, s *simulation) {
			observed := newUpsAndDowns()
			a, _ := s.node()
			b, _ := s.node(func(c *Config) { c.Observer = observed })
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			var dialling sync.WaitGroup
			for _, id := range []mesh.NodeID{b.ID(), ""} {
				dialling.Go(func() {
					if _, err := a.Connect(ctx, id, b.Addrs()); err != nil {
						t.Errorf("seed %d: %v", seed, err)
					}
				})
			}
			dialling.Wait()
			wantOneConnection(t, a, b)
			observed.await(t, "one connection", func(ups []*Conn, downs map[*Conn]error) bool { return len(ups) == 1 && len(downs) == 0 })
		})
	}
}

func TestRestartedPeerReplacesItsConnection(t *testing.T) {
	simulate(t, fixed(5*time.Millisecond), func(t *testing.T, s *simulation) {
		observed := newUpsAndDowns()
		a, _ := s.node(func(c *Config) { c.Observer = observed })
		credential := s.credential(admission.Node)
		as := func(c *Config) { c.Credential = credential }
		b, cut := s.node(as)
		old := s.connect(a, b)
		cut.Store(true) // nothing of b's end reaches a
		b.Close()
		reborn, _ := s.node(as)
		c := s.connect(reborn, a)
		if _, err := c.Call(t.Context(), &pb.Put{}); err != nil {
			t.Fatal(err)
		}
		<-old.Done()
		if current, _ := a.Conn(reborn.ID()); current == old || current == nil {
			t.Error("a still holds the old connection")
		}
		observed.await(t, "two ups, one down", func(ups []*Conn, downs map[*Conn]error) bool { return len(ups) == 2 && len(downs) == 1 })
	})
}

func TestLatencyIsOneRoundTripACall(t *testing.T) {
	simulate(t, fixed(20*time.Millisecond), func(t *testing.T, s *simulation) {
		a, _ := s.node()
		b, _ := s.node()
		c := s.connect(a, b)
		for range 10 {
			start := time.Now()
			if _, err := c.Call(t.Context(), &pb.Merge{Delta: make([]byte, 100)}); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took > 45*time.Millisecond {
				t.Errorf("a call took %v on a network of 40ms there and back", took)
			}
		}
		if rtt := c.RTT(); rtt < 40*time.Millisecond || rtt > 80*time.Millisecond {
			t.Errorf("RTT %v", rtt)
		}
	})
}

func TestCallsCloseCleanlyUnderLoad(t *testing.T) {
	simulate(t, fixed(time.Millisecond), func(t *testing.T, s *simulation) {
		b, _ := s.node(serving(func(ctx context.Context, _ *Conn, _ wire.Message) (wire.Message, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}))
		a, _ := s.node()
		c := s.connect(a, b)
		var calls sync.WaitGroup
		for range 200 {
			calls.Go(func() {
				_, err := c.Call(t.Context(), &pb.Put{Op: make([]byte, 1000)})
				if mesh.KindOf(err) != mesh.Unavailable {
					t.Errorf("%v, want Unavailable", err)
				}
			})
		}
		time.Sleep(time.Second)
		b.Close()
		calls.Wait()
	})
}
