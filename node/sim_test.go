package node_test

import (
	"errors"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

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
	simulate(t, simmesh.Options{Nodes: 3}, func(t *testing.T, m *simmesh.Mesh) {
		m.Partition([]int{0, 1}, []int{2})
		if err := m.SettleApart(within(t, time.Minute), []int{0, 1}, []int{2}); err != nil {
			t.Fatal(err)
		}
		put(t, m, 0, "greeting", "from the larger side")
		alone := sdk.Attach(m.Node(2))
		if err := sdk.Register[string](alone, "lonely").Put(within(t, 5*time.Second), "no"); !errors.Is(err, mesh.Unavailable) {
			t.Errorf("a put at the node that is cut off: %v, want Unavailable", err)
		}
		alone = alone.WithState(sdk.StateOptions{WriteQuorum: 1})
		if err := sdk.Register[string](alone, "lonely").Put(within(t, 5*time.Second), "from the node that is cut off"); err != nil {
			t.Errorf("a put at the node that is cut off, with W = 1: %v", err)
		}
		m.Heal()
		if err := m.Settle(within(t, time.Minute)); err != nil {
			t.Fatal(err)
		}
		put(t, m, 2, "answer", "from the node that was cut off")
		for i := range m.Len() {
			wants(t, "the answer", get(t, m, i, "answer"), nil, "from the node that was cut off")
			wants(t, "the greeting", get(t, m, i, "greeting"), nil, "from the larger side")
			wants(t, "what was put with W = 1", get(t, m, i, "lonely"), nil, "from the node that is cut off")
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
