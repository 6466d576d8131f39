package meshtest

import (
	"context"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/sdk"
)

// Mesh is a mesh that lasts as long as its test. Its nodes are numbered from
// 0. Its methods are for one goroutine at a time; what goes wrong in them ends
// the test. Clients may be used by any number of goroutines.
type Mesh struct {
	t       testing.TB
	timeout time.Duration
	mesh    *simmesh.Mesh
}

// How long New and Simulate, and each method of a Mesh, wait for the nodes.
// Virtual time is spent on what a slow network needs.
const (
	realTimeout    = time.Minute
	virtualTimeout = 10 * time.Minute
)

// New starts a mesh of n nodes on loopback, and returns when all are ready and
// see one another. The test's end stops them.
func New(t testing.TB, n int, given ...Option) *Mesh {
	t.Helper()
	return start(t, realTimeout, gather(given).mesh(n, t.TempDir()))
}

func start(t testing.TB, timeout time.Duration, o simmesh.Options) *Mesh {
	t.Helper()
	m := &Mesh{t: t, timeout: timeout}
	ctx, cancel := m.patience()
	defer cancel()
	started, err := simmesh.Start(ctx, o)
	m.must("start the mesh", err)
	m.mesh = started
	t.Cleanup(func() {
		if err := started.Close(); err != nil {
			t.Errorf("meshtest: stop the mesh: %v", err)
		}
	})
	return m
}

// Len is how many nodes the mesh was started with.
func (m *Mesh) Len() int { return m.mesh.Len() }

// ID is the identity of the ith node, which must run: where calls are placed
// by, see sdk.CallOptions.Place.
func (m *Mesh) ID(i int) mesh.NodeID { return m.mesh.Node(i).ID() }

// Client is a client within the process of the ith node: nothing it says is
// encoded or sent. It is that node's as long as the node runs; after Restart,
// ask again.
func (m *Mesh) Client(i int) *sdk.Client { return sdk.Attach(m.mesh.Node(i)) }

// Dial connects a client over QUIC to any node that runs, with a key of its
// own and all rights. The test's end closes it.
func (m *Mesh) Dial(t testing.TB) *sdk.Client {
	t.Helper()
	return m.DialAs(t, simmesh.Everything())
}

// DialAs is Dial with the rights of a grant, to test what clients are
// denied. Its Role must be admission.Client; NotAfter is set for it.
func (m *Mesh) DialAs(t testing.TB, grant admission.Grant) *sdk.Client {
	t.Helper()
	ctx, cancel := m.patience()
	defer cancel()
	client, err := m.mesh.Dial(ctx, grant)
	if err != nil {
		t.Fatalf("meshtest: dial: %v", err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Errorf("meshtest: close a client: %v", err)
		}
	})
	return client
}

// Stop ends the ith node in order, as SIGTERM would: it takes leave of the
// others. What it stored is there when it is started again.
func (m *Mesh) Stop(i int) {
	m.t.Helper()
	m.must("stop a node", m.mesh.Stop(i))
}

// Restart starts the ith node, stopping it first if it runs, with what it
// stored, and waits until it is ready.
func (m *Mesh) Restart(i int) {
	m.t.Helper()
	ctx, cancel := m.patience()
	defer cancel()
	m.must("stop a node", m.mesh.Stop(i))
	m.must("start a node", m.mesh.Restart(ctx, i))
}

// Settle waits until each node that runs sees just those that run: who was
// stopped or killed is no longer asked, who was started takes part.
func (m *Mesh) Settle() {
	m.t.Helper()
	ctx, cancel := m.patience()
	defer cancel()
	m.must("settle", m.mesh.Settle(ctx))
}

func (m *Mesh) patience() (context.Context, context.CancelFunc) {
	return context.WithTimeout(m.t.Context(), m.timeout)
}

func (m *Mesh) must(what string, err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatalf("meshtest: %s: %v", what, err)
	}
}
