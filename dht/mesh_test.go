package dht

import (
	"context"
	"fmt"
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
		want := closestByBruteForce(ids, key.Partition().ID(), 3)
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
