package dht

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/sim"
	"github.com/virga-mesh/virga/mesh"
)

// checkOwners holds the owners that every node names against brute force.
func checkOwners(t *testing.T, nodes []*testNode) {
	t.Helper()
	var ids []mesh.NodeID
	for _, n := range nodes {
		ids = append(ids, n.self)
	}
	for i := range 50 {
		key := mesh.Key{Namespace: "default", Name: fmt.Sprint("key", i)}
		want := closestByBruteForce(ids, key.ID(), 3)
		for _, n := range nodes {
			if got := n.Owners(key, 3); !slices.Equal(got, want) {
				t.Fatalf("owners of %s: %v, want %v", key, got, want)
			}
			if owns := slices.Contains(want, n.self); n.Owns(key, 3) != owns {
				t.Fatalf("owns %s: %v, want %v", key, !owns, owns)
			}
		}
	}
}

func TestMeshesOfAllSizesFindThemselves(t *testing.T) {
	for _, size := range []int{1, 2, 3, 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			simulated(t, lan, func(t *testing.T, m *testMesh) {
				began := time.Now()
				nodes := m.startMany(size)
				t.Logf("whole after %v", time.Since(began))
				for _, n := range nodes {
					<-n.Ready()
				}
				checkOwners(t, nodes)
			})
		})
	}
}

func TestOnRealSockets(t *testing.T) {
	m := newTestMesh(t)
	nodes := m.startMany(5)
	checkOwners(t, nodes)
	crashed, left, rest := nodes[0], nodes[1], nodes[2:]
	began := time.Now()
	crashed.kill(t)
	m.await("the crash to be seen", func() bool { return seeEachOther(nodes[1:]) })
	t.Logf("the crash was seen after %v", time.Since(began))
	began = time.Now()
	left.Leave(context.Background())
	m.await("the leave to be seen", func() bool { return seeEachOther(rest) })
	t.Logf("the leave was seen after %v", time.Since(began))
	checkOwners(t, rest)
}

func TestACrashIsSeenWithinTwoSeconds(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		nodes := m.startMany(10)
		for _, victim := range []int{0, 7} {
			crashed := nodes[victim]
			nodes = slices.Delete(slices.Clone(nodes), victim, victim+1)
			crashed.kill(t)
			began := time.Now()
			m.await("the crash to be seen", func() bool { return seeEachOther(nodes) })
			if took := time.Since(began); took > 2100*time.Millisecond {
				t.Errorf("seen after %v", took)
			}
			checkOwners(t, nodes)
		}
	})
}

// Without heartbeats the connections themselves notice.
func TestACrashIsSeenWithoutHeartbeats(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		var nodes []*testNode
		for range 3 {
			s := m.settings()
			s.config.Heartbeat = time.Hour
			if len(nodes) > 0 {
				s.config.Bootstrap = []string{nodes[0].addr()}
			}
			nodes = append(nodes, m.start(s))
		}
		m.await("the whole view", func() bool { return seeEachOther(nodes) })
		nodes[2].kill(t)
		began := time.Now()
		m.await("the crash to be seen", func() bool { return seeEachOther(nodes[:2]) })
		if took := time.Since(began); took < 5*time.Second || took > 8*time.Second+100*time.Millisecond {
			t.Errorf("seen after %v, want the idle timeout and a dial", took)
		}
	})
}

func TestALeaveIsSeenAtOnce(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		nodes := m.startMany(5)
		left, rest := nodes[2], nodes[3]
		others := slices.Concat(nodes[:2], nodes[3:])
		began := time.Now()
		left.Leave(context.Background())
		left.end(t)
		m.await("the leave to be seen", func() bool { return seeEachOther(others) })
		if took := time.Since(began); took > 20*time.Millisecond {
			t.Errorf("seen after %v", took)
		}
		for _, n := range others {
			n.meddle(func() {
				if _, planned := n.roster.nextDue(time.Now()); planned {
					t.Errorf("%s wants to dial, though the only one missing took leave", n.self.Short())
				}
			})
		}
		<-time.After(30 * time.Second)
		if !seeEachOther(others) {
			t.Error("who left came back, though it did not return")
		}
		if events := rest.events.of(left.self); !slices.Equal(events, []bool{true, false}) {
			t.Errorf("events of who left: %v, want up, down", events)
		}
	})
}

func TestACloseIsSeenAtOnce(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		nodes := m.startMany(3)
		nodes[2].end(t)
		began := time.Now()
		m.await("the close to be seen", func() bool { return seeEachOther(nodes[:2]) })
		if took := time.Since(began); took > 20*time.Millisecond {
			t.Errorf("seen after %v", took)
		}
	})
}

func TestAPartitionHeals(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		nodes := m.startMany(8)
		half := func(from, to int) (hosts []netip.Addr) {
			for _, n := range nodes[from:to] {
				hosts = append(hosts, sim.HostIP(n.settings.host))
			}
			return hosts
		}
		for _, lasts := range []time.Duration{5 * time.Second, time.Minute} {
			m.network.Partition(half(0, 3), half(3, 8))
			<-time.After(lasts)
			for _, side := range [][]*testNode{nodes[:3], nodes[3:]} {
				if !seeEachOther(side) {
					t.Errorf("after %v a side is not whole", lasts)
				}
				checkOwners(t, side)
			}
			m.network.Heal()
			began := time.Now()
			m.await("the partition to heal", func() bool { return seeEachOther(nodes) })
			t.Logf("a partition of %v healed after %v", lasts, time.Since(began))
			checkOwners(t, nodes)
		}
	})
}

func TestTwoMeshesOfOneRootThatMeetMerge(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		first, second := m.startMany(3), m.startMany(4)
		bridge := m.start(m.settings(first[2].addr(), second[3].addr()))
		all := append(slices.Concat(first, second), bridge)
		m.await("one mesh", func() bool { return seeEachOther(all) })
		checkOwners(t, all)
	})
}

func TestAMeshOfAnotherRootStaysApart(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		nodes := m.startMany(2)
		stranger := *m
		stranger.root = newTestMesh(t).root
		stranger.hosts = 10
		other := stranger.start(stranger.settings(nodes[0].addr()))
		<-other.Ready()
		<-time.After(time.Minute)
		if !seeEachOther(nodes) || !other.sees(other) {
			t.Error("two meshes of different roots see each other")
		}
	})
}

func TestARestartAtAnotherPortTakesThePlaceOfTheOldNode(t *testing.T) {
	for _, crash := range []bool{true, false} {
		t.Run(fmt.Sprintf("crash=%v", crash), func(t *testing.T) {
			simulated(t, lan, func(t *testing.T, m *testMesh) {
				nodes := m.startMany(4)
				old := nodes[3]
				<-time.After(2 * simultaneous)
				if crash {
					old.kill(t)
				} else {
					old.end(t)
				}
				s := old.settings
				s.listen = net.JoinHostPort(sim.HostIP(s.host).String(), "7001")
				nodes[3] = m.start(s)
				at := func(n *testNode) []string {
					view := n.View()
					i := slices.IndexFunc(view, func(p Peer) bool { return p.ID == old.self })
					if i < 0 {
						return nil
					}
					return view[i].Addrs
				}
				m.await("the new address everywhere", func() bool {
					return seeEachOther(nodes) && !slices.ContainsFunc(nodes, func(n *testNode) bool {
						return !slices.Equal(at(n), []string{s.listen})
					})
				})
				<-time.After(time.Minute)
				if !seeEachOther(nodes) {
					t.Error("the end of the old connection took the new one out")
				}
				m.await("the events", func() bool {
					return slices.Equal(nodes[1].events.of(old.self), []bool{true, false, true})
				})
			})
		})
	}
}

func TestARestartedNodeFindsTheMeshWithoutItsBootstrapNode(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		first := m.start(m.settings())
		second := m.start(m.settings(first.addr()))
		s := m.settings(first.addr())
		s.config.Book = &memoryBook{}
		third := m.start(s)
		m.await("the whole view", func() bool { return seeEachOther([]*testNode{first, second, third}) })
		third.end(t)
		first.end(t)
		third = m.start(s)
		<-third.Ready()
		if !seeEachOther([]*testNode{second, third}) {
			t.Errorf("ready with a view of %d, want 2", len(third.View()))
		}
	})
}

func TestANodeWhoseBootstrapNodeComesLaterJoins(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		late := m.settings()
		early := m.start(m.settings(late.listen))
		<-early.Ready()
		<-time.After(time.Hour)
		nodes := []*testNode{early, m.start(late)}
		m.await("the whole view", func() bool { return seeEachOther(nodes) })
	})
}

func TestALossyNetworkLosesNobody(t *testing.T) {
	simulated(t, sim.Conditions{Delay: 20 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.05, Duplicate: 0.02}, func(t *testing.T, m *testMesh) {
		nodes := m.startMany(4)
		<-time.After(time.Minute)
		for _, n := range nodes {
			for _, e := range n.events.events {
				if !e.Up {
					t.Errorf("%s took %s for dead", n.self.Short(), e.Peer.ID.Short())
				}
			}
		}
	})
}

func TestLookUpsAgreeWithBruteForce(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		nodes := m.startMany(10)
		var ids []mesh.NodeID
		for _, n := range nodes {
			ids = append(ids, n.self)
		}
		for i := range 20 {
			key := mesh.Key{Namespace: "default", Name: fmt.Sprint(i)}
			n := nodes[i%len(nodes)]
			found, err := n.find(context.Background(), key.Path())
			if err != nil {
				t.Fatal(err)
			}
			if closest, _ := n.withView(key.ID(), found); len(found) != len(nodes)-1 || !slices.Equal(closest, closestByBruteForce(ids, key.ID(), 99)) {
				t.Errorf("found %d of %d others", len(found), len(nodes)-1)
			}
			got, err := n.Lookup(context.Background(), key, 3)
			if want := closestByBruteForce(ids, key.ID(), 3); err != nil || !slices.Equal(got, want) {
				t.Errorf("look-up: %v, %v, want %v", got, err, want)
			}
		}
		for _, n := range []int{0, bucketSize + 1} {
			if _, err := nodes[0].Lookup(context.Background(), mesh.Key{Namespace: "default", Name: "x"}, n); mesh.KindOf(err) != mesh.Invalid {
				t.Errorf("look-up of %d nodes: %v, want Invalid", n, err)
			}
		}
		addrs, err := nodes[0].FindPeer(context.Background(), nodes[1].self)
		if err != nil || !slices.Contains(addrs, nodes[1].addr()) {
			t.Errorf("find peer: %v, %v", addrs, err)
		}
		if _, err := nodes[0].FindPeer(context.Background(), m.settings().config.Credential.ID()); mesh.KindOf(err) != mesh.NotFound {
			t.Errorf("find a stranger: %v, want NotFound", err)
		}
	})
}

// The Kademlia table is fed from the view: who crashed is out of both, and
// look-ups do not wait for it.
func TestTheKademliaTableFollowsTheView(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		nodes := m.startMany(6)
		table := func(n *testNode) int { return n.kademlia.Load().dht.RoutingTable().Size() }
		tables := func(size int) func() bool {
			return func() bool {
				return !slices.ContainsFunc(nodes, func(n *testNode) bool { return table(n) != size })
			}
		}
		m.await("whole tables", tables(5))
		key := mesh.Key{Namespace: "default", Name: "x"}
		for _, n := range nodes {
			if _, err := n.Lookup(context.Background(), key, 3); err != nil {
				t.Error(err)
			}
		}
		nodes[5].kill(t)
		nodes = nodes[:5]
		m.await("tables without who crashed", tables(4))
		began := time.Now()
		for _, n := range nodes {
			if got, err := n.Lookup(context.Background(), key, 9); err != nil || len(got) != 5 {
				t.Errorf("look-up: %d nodes, %v, want 5", len(got), err)
			}
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("look-ups took %v", took)
		}
	})
}

// A node that the view lacks is found by Kademlia and joins the view.
func TestKademliaFindsWhatTheViewLacks(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		nodes := m.startMany(4)
		forgetful := nodes[3]
		missing := nodes[1]
		conn, _ := forgetful.endpoint.Conn(missing.self)
		forgetful.meddle(func() { delete(forgetful.roster.nodes, missing.self) })
		conn.CloseWithReason(mesh.Errorf(mesh.Internal, "test", "cut"))
		missing.meddle(func() { delete(missing.roster.nodes, forgetful.self) })
		forgetful.discover(context.Background(), string(forgetful.self))
		m.await("the whole view", func() bool { return seeEachOther(nodes) })
	})
}

func (n *testNode) meddle(f func()) { n.update(func(time.Time) { f() }) }
