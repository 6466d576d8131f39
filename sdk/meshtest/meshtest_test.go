package meshtest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/meshtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func square(_ context.Context, n int) (int, error) { return n * n, nil }

func TestEveryClientReachesTheFunctionsAndTheState(t *testing.T) {
	m := meshtest.New(t, 3, meshtest.Handle("square", square))
	clients := []*sdk.Client{m.Dial(t)}
	for i := range m.Len() {
		clients = append(clients, m.Client(i))
	}
	if err := sdk.Register[string](clients[0], "greeting").Put(t.Context(), "hello"); err != nil {
		t.Fatal(err)
	}
	for i, c := range clients {
		if got, err := sdk.Func[int, int](c, "square").Call(t.Context(), 3); err != nil || got != 9 {
			t.Errorf("client %d: square(3) = %d, %v", i, got, err)
		}
		if got, err := sdk.Register[string](c, "greeting").Get(t.Context()); err != nil || got != "hello" {
			t.Errorf("client %d: greeting = %q, %v", i, got, err)
		}
	}
}

func TestAStoppedNodeComesBackWithItsState(t *testing.T) {
	m := meshtest.New(t, 1)
	if err := sdk.Register[string](m.Client(0), "greeting").Put(t.Context(), "hello"); err != nil {
		t.Fatal(err)
	}
	id := m.ID(0)
	m.Stop(0)
	if _, err := m.Client(0).Get(t.Context(), "greeting"); !errors.Is(err, mesh.Unavailable) {
		t.Errorf("a stopped node gave %v", err)
	}
	m.Restart(0)
	if got, err := sdk.Register[string](m.Client(0), "greeting").Get(t.Context()); err != nil || got != "hello" || m.ID(0) != id {
		t.Errorf("after the restart: %q, %v, id %v of %v", got, err, m.ID(0), id)
	}
}

func TestAClientWithFewRights(t *testing.T) {
	m := meshtest.New(t, 1)
	reader := m.DialAs(t, admission.Grant{Role: admission.Client, Verbs: admission.Read})
	if err := sdk.Register[string](reader, "greeting").Put(t.Context(), "hello"); !errors.Is(err, mesh.Denied) {
		t.Errorf("a reader's put gave %v", err)
	}
}

func TestOptionsReachEveryNode(t *testing.T) {
	m := meshtest.New(t, 2,
		meshtest.Nodes(node.Handle("square", square)),
		meshtest.Configure(func(i int, cfg *node.Config) { cfg.FuncTime = time.Duration(i+1) * 20 * time.Millisecond }),
		meshtest.Handle("wait", func(ctx context.Context, _ struct{}) (int, error) { <-ctx.Done(); return 0, ctx.Err() }),
	)
	for i := range m.Len() {
		if got, err := sdk.Func[int, int](m.Client(i), "square").Call(t.Context(), 3); err != nil || got != 9 {
			t.Errorf("node %d: square(3) = %d, %v", i, got, err)
		}
		if _, err := m.Client(i).Call(t.Context(), "wait"); !errors.Is(err, mesh.DeadlineExceeded) {
			t.Errorf("node %d: the limit of time gave %v", i, err)
		}
	}
}

func TestFaultsOfASimulation(t *testing.T) {
	meshtest.Simulate(t, 3, func(t *testing.T, m *meshtest.Simulation) {
		began := time.Now()
		greeting := sdk.Register[string](m.Dial(t), "greeting")
		put := func(when, text string) {
			t.Helper()
			if err := greeting.Put(t.Context(), text); err != nil {
				t.Errorf("%s: %v", when, err)
			}
		}
		put("at first", "one")
		m.Kill(2)
		m.Settle()
		put("with a node killed", "two")
		m.Restart(2)
		m.Settle()
		m.SetLoss(0.05)
		m.SetDelay(10*time.Millisecond, 10*time.Millisecond)
		put("on a bad network", "three")
		m.SetLoss(0)
		m.Partition([]int{0, 1}, []int{2})
		put("with a node cut off", "four")
		m.Heal()
		m.Settle()
		for i := range m.Len() {
			client := m.Client(i).WithState(sdk.StateOptions{ReadQuorum: 2}) // one of two owners has what was acknowledged
			if got, err := sdk.Register[string](client, "greeting").Get(t.Context()); err != nil || got != "four" {
				t.Errorf("node %d: %q, %v", i, got, err)
			}
		}
		if time.Since(began) == 0 {
			t.Error("no virtual time has passed")
		}
	}, meshtest.Seed(7))
}
