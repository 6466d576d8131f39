package sdk_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// The tests of this file run on real nodes, over the sockets of this machine.

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testMesh is a mesh whose nodes all have the functions of natives.
type testMesh struct {
	*simmesh.Mesh
	t *testing.T
}

func startMesh(t *testing.T, nodes int, natives ...node.Option) testMesh {
	t.Helper()
	m, err := simmesh.Start(t.Context(), simmesh.Options{
		Nodes: nodes, Provide: func(int) []node.Option { return natives },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return testMesh{m, t}
}

// token admits clients, who find all nodes by it.
func (m testMesh) token(verbs admission.Verbs) string {
	m.t.Helper()
	var addrs []string
	for _, i := range m.Running() {
		addrs = append(addrs, m.Node(i).Addrs()...)
	}
	grant := admission.Grant{Role: admission.Client, Verbs: verbs, NotAfter: time.Now().Add(time.Hour)}
	token, err := m.Token(grant, addrs)
	if err != nil {
		m.t.Fatal(err)
	}
	return token.Text()
}

func (m testMesh) dial(verbs admission.Verbs) *sdk.Client {
	m.t.Helper()
	client, err := sdk.Dial(m.t.Context(), sdk.Config{Token: m.token(verbs)})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		if err := client.Close(); err != nil {
			m.t.Error(err)
		}
	})
	return client
}

// nodeOf gives the node that a client is connected to.
func (m testMesh) nodeOf(client *sdk.Client) int {
	m.t.Helper()
	status, err := client.Status(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	for _, i := range m.Running() {
		if m.Node(i).ID() == status.ID {
			return i
		}
	}
	m.t.Fatalf("no node is %s", status.ID)
	return -1
}

func square(_ context.Context, n int) (int, error) { return n * n, nil }

func sum(_ context.Context, all fn.Variadic[int]) (int, error) {
	total := 0
	for _, n := range all {
		total += n
	}
	return total, nil
}

func fail(context.Context, fn.None) (fn.None, error) { return fn.None{}, errors.New("no luck") }

func natives() []node.Option {
	return []node.Option{node.Handle("square", square), node.Handle("sum", sum), node.Handle("fail", fail)}
}

// onBothWays runs a test with a client that dials and with one that is attached.
func onBothWays(t *testing.T, test func(t *testing.T, client *sdk.Client)) {
	m := startMesh(t, 2, natives()...)
	t.Run("dial", func(t *testing.T) { test(t, m.dial(admission.AllVerbs).In("dialled")) })
	t.Run("attach", func(t *testing.T) {
		client := sdk.Attach(m.Node(0)).In("attached")
		test(t, client)
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
}

func wantKind(t *testing.T, err error, kind mesh.ErrorKind) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("got %v, want %s", err, kind)
	}
}

func want[T comparable](t *testing.T, got T, err error, want T) {
	t.Helper()
	if err != nil || got != want {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}
