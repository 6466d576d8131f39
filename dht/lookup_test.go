package dht

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

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
			if closest, _ := n.withView(key.Partition().ID(), found); len(found) != len(nodes)-1 || !slices.Equal(closest, closestByBruteForce(ids, key.Partition().ID(), 99)) {
				t.Errorf("found %d of %d others", len(found), len(nodes)-1)
			}
			got, err := n.Lookup(context.Background(), key, 3)
			if want := closestByBruteForce(ids, key.Partition().ID(), 3); err != nil || !slices.Equal(got, want) {
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
