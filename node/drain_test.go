package node_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// putMany writes texts through node 0.
func putMany(t *testing.T, m *simmesh.Mesh, count int) {
	t.Helper()
	for i := range count {
		put(t, m, 0, fmt.Sprintf("key %d", i), fmt.Sprint("text ", i))
	}
}

// hasMany checks that each running node gives what putMany wrote.
func hasMany(t *testing.T, m *simmesh.Mesh, count int) {
	t.Helper()
	for _, through := range m.Running() {
		for i := range count {
			if got := get(t, m, through, fmt.Sprintf("key %d", i)); got != fmt.Sprint("text ", i) {
				t.Errorf("key %d through node %d: %q", i, through, got)
			}
		}
	}
}

// peerAs gives what the ith node says of a node.
func peerAs(t *testing.T, m *simmesh.Mesh, i int, id mesh.NodeID) (sdk.PeerStatus, bool) {
	t.Helper()
	status, err := at(m, i).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, peer := range status.Peers {
		if peer.ID == id {
			return peer, true
		}
	}
	return sdk.PeerStatus{}, false
}

func TestADrainedNodeTakesNothingWithIt(t *testing.T) {
	const keys = 60
	simulate(t, simmesh.Options{Nodes: 4}, func(t *testing.T, m *simmesh.Mesh) {
		putMany(t, m, keys)
		for _, i := range []int{3, 0} {
			id := m.Node(i).ID()
			if err := m.Drain(within(t, time.Minute), i, 1); err != nil {
				t.Fatal(err)
			}
			if peer, known := peerAs(t, m, 1, id); known {
				t.Errorf("node %d has drained, and is known as %+v", i, peer)
			}
			hasMany(t, m, keys)
			wants(t, "what never was", get(t, m, 2, "nothing"), nil, "(NotFound)")
		}
	})
}

// Each key has three owners of three: what the one that drains holds is then with two.
func TestANodeDrainsWhileItIsWrittenTo(t *testing.T) {
	const keys = 40
	simulate(t, simmesh.Options{Nodes: 3}, func(t *testing.T, m *simmesh.Mesh) {
		drained := make(chan error, 1)
		go func() { drained <- m.Drain(within(t, time.Minute), 2, 1) }()
		putMany(t, m, keys)
		if err := <-drained; err != nil {
			t.Fatal(err)
		}
		hasMany(t, m, keys)
	})
}

func TestTheLastNodeCannotDrain(t *testing.T) {
	simulate(t, simmesh.Options{Nodes: 2}, func(t *testing.T, m *simmesh.Mesh) {
		putMany(t, m, 5)
		if err := m.Drain(within(t, time.Minute), 1, 0); err != nil {
			t.Fatal(err)
		}
		wantsError(t, "draining the last node", m.Drain(within(t, time.Minute), 0, 0), mesh.Conflict, "no other node")
		hasMany(t, m, 5)
	})
}

// With its heirs cut off a node cannot hand over; it is taken back.
func TestADrainIsTakenBack(t *testing.T) {
	simulate(t, simmesh.Options{Nodes: 3}, func(t *testing.T, m *simmesh.Mesh) {
		putMany(t, m, 20)
		id := m.Node(2).ID()
		wantsError(t, "cancelling what was not begun", at(m, 0).CancelDrain(t.Context(), id), mesh.Conflict)
		m.Partition([]int{0, 1}, []int{2})
		progress, err := at(m, 2).Drain(t.Context(), id)
		if err != nil || progress.Done {
			t.Fatalf("draining with nobody there to take over: %+v, %v", progress, err)
		}
		status, err := at(m, 2).Status(t.Context())
		if err != nil || status.Ready || !status.Draining {
			t.Errorf("ready %v, draining %v, %v", status.Ready, status.Draining, err)
		}
		if err := at(m, 2).CancelDrain(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		m.Heal()
		if err := m.Settle(within(t, time.Minute)); err != nil {
			t.Fatal(err)
		}
		if peer, known := peerAs(t, m, 0, id); !known || !peer.Live || peer.Draining {
			t.Errorf("known %v, as %+v: it stays", known, peer)
		}
		until(t, time.Minute, "ready again", func() bool {
			status, err := at(m, 2).Status(t.Context())
			return err == nil && status.Ready
		})
		hasMany(t, m, 20)
	})
}

func TestADrainedNodeReturnsAsANewOne(t *testing.T) {
	simulate(t, simmesh.Options{Nodes: 3}, func(t *testing.T, m *simmesh.Mesh) {
		putMany(t, m, 20)
		if err := m.Drain(within(t, time.Minute), 2, 0); err != nil {
			t.Fatal(err)
		}
		if err := at(m, 0).Delete(t.Context(), "key 7"); err != nil {
			t.Fatal(err)
		}
		if err := m.Restart(within(t, time.Minute), 2); err != nil {
			t.Fatal(err)
		}
		if err := m.Settle(within(t, time.Minute)); err != nil {
			t.Fatal(err)
		}
		for i := range m.Len() {
			wants(t, "what was deleted meanwhile", get(t, m, i, "key 7"), nil, "(NotFound)")
			wants(t, "what was not", get(t, m, i, "key 8"), nil, "text 8")
		}
	})
}

func TestNotFoundIsSaidOnceTheMissingAreForgotten(t *testing.T) {
	simulate(t, simmesh.Options{Nodes: 3}, func(t *testing.T, m *simmesh.Mesh) {
		lost := []mesh.NodeID{m.Node(1).ID(), m.Node(2).ID()}
		for _, i := range []int{1, 2} {
			if err := m.Kill(i); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.Settle(within(t, time.Minute)); err != nil {
			t.Fatal(err)
		}
		if peer, known := peerAs(t, m, 0, lost[0]); !known || peer.Live || peer.MissingSince.IsZero() {
			t.Errorf("a killed node is known %v, as %+v", known, peer)
		}
		wants(t, "with two owners away", get(t, m, 0, "nothing"), nil, "(Unavailable)")
		for _, id := range lost {
			if err := at(m, 0).Forget(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		wants(t, "with both forgotten", get(t, m, 0, "nothing"), nil, "(NotFound)")
		if err := at(m, 0).Forget(t.Context(), m.Node(0).ID()); !errors.Is(err, mesh.Conflict) {
			t.Errorf("forgetting a live node: %v, want Conflict", err)
		}
	})
}
