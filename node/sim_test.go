package node_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/internal/sim"
	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// simulate runs a test on a mesh over a simulated network, under virtual time.
func simulate(t *testing.T, o simmesh.Options, test func(t *testing.T, m *simmesh.Mesh)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if o.Network == nil {
			o.Network = sim.NewNetwork(1, sim.Conditions{Delay: time.Millisecond})
		}
		m, err := simmesh.Start(within(t, time.Minute), o)
		if err != nil {
			t.Fatal(err)
		}
		test(t, m)
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
}

// within is a context for a part of a test, in virtual time.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func put(t *testing.T, m *simmesh.Mesh, through int, name, text string) {
	t.Helper()
	payload := mesh.Value{Format: mesh.Text, Data: []byte(text)}.AppendBinary(nil)
	_, err := sdk.Attach(m.Node(through)).Put(within(t, 30*time.Second), name, lattice.LWWKind, lattice.SetOp(payload))
	if err != nil {
		t.Fatalf("put %s through node %d: %v", name, through, err)
	}
}

// get reads a key through a node: its text, or "(kind)" of the error.
func get(t *testing.T, m *simmesh.Mesh, through int, name string) string {
	t.Helper()
	value, err := sdk.Attach(m.Node(through)).Get(within(t, 30*time.Second), name)
	if err != nil {
		return fmt.Sprintf("(%v)", mesh.KindOf(err))
	}
	payload, _ := value.Payload()
	text, err := mesh.DecodeValue(payload)
	if err != nil {
		t.Fatal(err)
	}
	return string(text.Data)
}

func TestStateOutlivesAKilledNode(t *testing.T) {
	simulate(t, simmesh.Options{Nodes: 3, Provide: arithmetic}, func(t *testing.T, m *simmesh.Mesh) {
		put(t, m, 0, "greeting", "hello")
		if err := m.Kill(0); err != nil {
			t.Fatal(err)
		}
		for _, i := range m.Running() {
			if got := get(t, m, i, "greeting"); got != "hello" {
				t.Errorf("through node %d: %q", i, got)
			}
		}
		if err := m.Settle(within(t, 10*time.Second)); err != nil {
			t.Error(err)
		}
		put(t, m, 1, "greeting", "hello again")
		if got, err := sdk.Func[int, int](sdk.Attach(m.Node(2)), "square").Call(t.Context(), 3); err != nil || got != 9 {
			t.Errorf("square(3) = %d, %v", got, err)
		}
	})
}

func TestStateSurvivesARestart(t *testing.T) {
	simulate(t, simmesh.Options{Nodes: 3}, func(t *testing.T, m *simmesh.Mesh) {
		put(t, m, 1, "greeting", "hello")
		for i := range m.Len() {
			if err := m.Kill(i); err != nil {
				t.Fatal(err)
			}
		}
		for i := range m.Len() {
			if err := m.Restart(within(t, time.Minute), i); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.Settle(within(t, time.Minute)); err != nil {
			t.Fatal(err)
		}
		for i := range m.Len() {
			if got := get(t, m, i, "greeting"); got != "hello" {
				t.Errorf("through node %d: %q", i, got)
			}
		}
	})
}

func TestWhatANodeMissedReachesIt(t *testing.T) {
	simulate(t, simmesh.Options{Nodes: 3}, func(t *testing.T, m *simmesh.Mesh) {
		if err := m.Kill(2); err != nil {
			t.Fatal(err)
		}
		put(t, m, 0, "greeting", "written while node 2 was away")
		if err := m.Restart(within(t, time.Minute), 2); err != nil {
			t.Fatal(err)
		}
		if err := m.Settle(within(t, time.Minute)); err != nil {
			t.Fatal(err)
		}
		if got := get(t, m, 2, "greeting"); got != "written while node 2 was away" {
			t.Errorf("node 2 answers %q", got)
		}
	})
}

func TestAHealedPartitionHealsTheMesh(t *testing.T) {
	network := sim.NewNetwork(1, sim.Conditions{Delay: time.Millisecond})
	simulate(t, simmesh.Options{Nodes: 3, Network: network}, func(t *testing.T, m *simmesh.Mesh) {
		network.Partition([]netip.Addr{sim.HostIP(1), sim.HostIP(2)}, []netip.Addr{sim.HostIP(3)})
		put(t, m, 0, "greeting", "from the larger side")
		network.Heal()
		if err := m.Settle(within(t, time.Minute)); err != nil {
			t.Fatal(err)
		}
		put(t, m, 2, "answer", "from the node that was cut off")
		for i := range m.Len() {
			if got := get(t, m, i, "answer"); got != "from the node that was cut off" {
				t.Errorf("through node %d: %q", i, got)
			}
		}
	})
}

func TestTooFewOwnersIsUnavailableAndLosesNothing(t *testing.T) {
	simulate(t, simmesh.Options{Nodes: 3}, func(t *testing.T, m *simmesh.Mesh) {
		put(t, m, 0, "greeting", "hello")
		for _, i := range []int{1, 2} {
			if err := m.Kill(i); err != nil {
				t.Fatal(err)
			}
		}
		client := sdk.Attach(m.Node(0)).WithState(sdk.StateOptions{WriteQuorum: 2})
		_, err := client.Put(within(t, 5*time.Second), "greeting", lattice.LWWKind, lattice.SetOp([]byte{2, 'x'}))
		if !errors.Is(err, mesh.Unavailable) && !errors.Is(err, mesh.DeadlineExceeded) {
			t.Errorf("a put with W = 2 on one node gave %v", err)
		}
	})
}
