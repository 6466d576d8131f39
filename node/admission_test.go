package node_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/internal/sim"
	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
)

// joinToken gives the text of a token of a root.
func joinToken(t *testing.T, root admission.Root, role admission.Role, notAfter time.Time, bootstrap ...string) string {
	t.Helper()
	token, err := root.NewToken(admission.Grant{Role: role, Verbs: admission.AllVerbs, NotAfter: notAfter}, bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	return token.Text()
}

// alone is the configuration of a node with a disk of its own.
func alone(token string, disk vfs.FS) node.Config {
	return node.Config{DataDir: "/data", FS: disk, Token: token, Listen: []string{"127.0.0.1:0"}, Log: slog.New(slog.DiscardHandler)}
}

// runOnce runs a node until it is ready, and stops it then.
func runOnce(t *testing.T, cfg node.Config) error {
	t.Helper()
	n, err := node.New(cfg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(within(t, 30*time.Second))
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	select {
	case <-n.Ready():
		cancel()
		return <-ended
	case err := <-ended:
		return err
	}
}

func TestANodeDoesNotStartWithoutAValidCredential(t *testing.T) {
	root := admission.NewRoot()
	soon := time.Now().Add(time.Hour)
	good := joinToken(t, root, admission.Node, soon)
	for _, test := range []struct {
		what  string
		token string
		kind  mesh.ErrorKind
		part  string
	}{
		{"no token", "", mesh.Invalid, "expected a join token"},
		{"an expired token", joinToken(t, root, admission.Node, time.Now().Add(-time.Hour)), mesh.Denied, "expired"},
		{"a client's token", joinToken(t, root, admission.Client, soon), mesh.Denied, "expected one for a node"},
		{"half a token", good[:len(good)/2], mesh.Invalid, "token"},
		{"any text", "hello", mesh.Invalid, "token"},
	} {
		wantsError(t, test.what, runOnce(t, alone(test.token, vfs.NewMem())), test.kind, test.part)
	}
	if err := runOnce(t, alone(good, vfs.NewMem())); err != nil {
		t.Errorf("a good token gave %v", err)
	}
}

func TestTheCredentialInTheDataFolderServesLaterStarts(t *testing.T) {
	disk := vfs.NewMem()
	if err := runOnce(t, alone(joinToken(t, admission.NewRoot(), admission.Node, time.Now().Add(time.Hour)), disk)); err != nil {
		t.Fatal(err)
	}
	if err := runOnce(t, alone("", disk)); err != nil {
		t.Errorf("a second start without a token gave %v", err)
	}
}

func TestADataFolderOfAnotherMeshIsRefused(t *testing.T) {
	disk := vfs.NewMem()
	soon := time.Now().Add(time.Hour)
	own, other := admission.NewRoot(), admission.NewRoot()
	if err := runOnce(t, alone(joinToken(t, own, admission.Node, soon), disk)); err != nil {
		t.Fatal(err)
	}
	err := runOnce(t, alone(joinToken(t, other, admission.Node, soon), disk))
	wantsError(t, "a token of another mesh", err, mesh.Invalid, own.MeshID().String(), other.MeshID().String(), "/data")
	if err := runOnce(t, alone(joinToken(t, own, admission.Node, soon), disk)); err != nil {
		t.Errorf("its own mesh after that gave %v", err)
	}
}

func TestANodeRunsOnce(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 1})
	n := m.Node(0)
	wantsError(t, "a second Run", n.Run(t.Context()), mesh.Invalid, "one Run for each New")
	got, err := at(m, 0).Status(t.Context())
	if err != nil || !got.Ready {
		t.Errorf("after a second Run the node is %+v, %v", got, err)
	}
	if err := m.Stop(0); err != nil {
		t.Fatal(err)
	}
	wantsError(t, "a Run after its end", n.Run(t.Context()), mesh.Invalid)
	_, err = sdk.Attach(n).Get(t.Context(), "k")
	wantsError(t, "a request after its end", err, mesh.Unavailable, "not running")
	if n.ID() != "" || n.Addrs() != nil || n.Peers() != nil {
		t.Error("a node that has ended still has an id, addresses or peers")
	}
}

func TestANodeOfAnotherMeshFindsNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		network := sim.NewNetwork(1, sim.Conditions{Delay: time.Millisecond})
		m := start(t, simmesh.Options{Nodes: 3, Network: network})
		cfg := alone(joinToken(t, admission.NewRoot(), admission.Node, time.Now().Add(time.Hour), m.Node(0).Addrs()...), vfs.NewMem())
		cfg.Listen = []string{"10.0.77.1:7000"}
		cfg.ListenPacket = network.ListenPacket(sim.HostIP(77*256 + 1))
		stranger, err := node.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- stranger.Run(ctx) }()
		time.Sleep(time.Minute) // virtual
		if seen := stranger.Peers(); len(seen) > 1 {
			t.Errorf("the stranger sees %v", seen)
		}
		for i := range m.Len() {
			if seen := m.Node(i).Peers(); len(seen) != 3 {
				t.Errorf("node %d sees %d nodes, want 3", i, len(seen))
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the stranger ended with %v", err)
		}
	})
}

func TestClientsWithForeignOrExpiredTokensAreDenied(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 2})
	soon := time.Now().Add(time.Hour)
	foreign := joinToken(t, admission.NewRoot(), admission.Client, soon, m.Node(0).Addrs()...)
	_, err := sdk.Dial(within(t, 30*time.Second), sdk.Config{Token: foreign})
	wantsError(t, "a foreign token", err, mesh.Denied)
	expired, err := m.Token(admission.Grant{Role: admission.Client, Verbs: admission.AllVerbs, NotAfter: time.Now().Add(-time.Hour)}, m.Node(0).Addrs())
	if err != nil {
		t.Fatal(err)
	}
	_, err = sdk.Dial(within(t, 30*time.Second), sdk.Config{Token: expired.Text()})
	wantsError(t, "an expired token", err, mesh.Denied, "expired")
}

func TestAClientWhoseCertificateExpiresIsCutOff(t *testing.T) {
	simulate(t, simmesh.Options{Nodes: 2}, func(t *testing.T, m *simmesh.Mesh) {
		grant := simmesh.Everything()
		grant.NotAfter = time.Now().Add(time.Minute)
		client := dialAs(t, m, grant)
		if err := sdk.Register[string](client, "k").Put(t.Context(), "v"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute) // virtual
		_, err := client.Get(within(t, 30*time.Second), "k")
		wantsError(t, "a get after the expiry", err, mesh.Denied)
	})
}

func TestRunEndsCleanlyWhereverItIsStopped(t *testing.T) {
	token := joinToken(t, admission.NewRoot(), admission.Node, time.Now().Add(time.Hour))
	for _, after := range []time.Duration{0, time.Microsecond, time.Millisecond, 5 * time.Millisecond} {
		n, err := node.New(alone(token, vfs.NewMem()))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), after)
		if err := n.Run(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("stopped after %v: %v", after, err)
		}
		cancel()
		<-n.Stopped()
	}
}
