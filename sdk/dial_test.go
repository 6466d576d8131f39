package sdk_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
)

func TestAnotherNodeServesWhenOneStops(t *testing.T) {
	m := startMesh(t, 3, natives()...)
	client := m.dial(admission.AllVerbs)
	first := m.nodeOf(client)
	if err := m.Stop(first); err != nil {
		t.Fatal(err)
	}
	four, err := sdk.Func[int, int](client, "square").Call(t.Context(), 2)
	want(t, four, err, 4)
	if m.nodeOf(client) == first {
		t.Error("the stopped node answers")
	}
}

func TestOneAddressIsEnoughToFindTheOthers(t *testing.T) {
	m := startMesh(t, 3, natives()...)
	client, err := sdk.Dial(t.Context(), sdk.Config{Token: m.token(admission.AllVerbs), Addrs: m.Node(0).Addrs()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := m.Stop(0); err != nil {
		t.Fatal(err)
	}
	four, err := sdk.Func[int, int](client, "square").Call(t.Context(), 2)
	want(t, four, err, 4)
}

func TestAPinnedClientGoesNowhereElse(t *testing.T) {
	m := startMesh(t, 2, natives()...)
	client, err := sdk.Dial(t.Context(), sdk.Config{Token: m.token(admission.AllVerbs), Addrs: m.Node(0).Addrs(), Pinned: true})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := m.Stop(0); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = client.Call(ctx, "square", 2)
	if !mesh.KindOf(err).Retryable() && mesh.KindOf(err) != mesh.DeadlineExceeded {
		t.Errorf("got %v, want Unavailable or DeadlineExceeded", err)
	}
}

func TestACallUnderWayIsRepeatedElsewhere(t *testing.T) {
	started := make(chan struct{}, 8)
	release := make(chan struct{})
	var once sync.Once
	block := func(ctx context.Context, n int) (int, error) {
		started <- struct{}{}
		select {
		case <-release:
			return n, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	m := startMesh(t, 3, node.Handle("block", block))
	defer once.Do(func() { close(release) })
	client := m.dial(admission.AllVerbs)
	first := m.nodeOf(client)
	type answer struct {
		n   int
		err error
	}
	answered := make(chan answer, 1)
	go func() {
		n, err := sdk.Func[int, int](client, "block").Call(t.Context(), 5)
		answered <- answer{n, err}
	}()
	<-started
	if err := m.Stop(first); err != nil {
		t.Fatal(err)
	}
	once.Do(func() { close(release) })
	got := <-answered
	want(t, got.n, got.err, 5)
}

func TestManyCallersReconnectOnce(t *testing.T) {
	m := startMesh(t, 3, natives()...)
	client := m.dial(admission.AllVerbs)
	if err := m.Stop(m.nodeOf(client)); err != nil {
		t.Fatal(err)
	}
	var callers sync.WaitGroup
	for i := range 32 {
		callers.Go(func() {
			got, err := sdk.Func[int, int](client, "square").Call(t.Context(), i)
			want(t, got, err, i*i)
		})
	}
	callers.Wait()
}

func TestSeveralClientsOfOneContext(t *testing.T) {
	m := startMesh(t, 1, natives()...)
	token, err := admission.ParseToken(m.token(admission.AllVerbs))
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	if err := (sdk.SavedContext{Addrs: m.Node(0).Addrs(), Token: token}).Save(home); err != nil {
		t.Fatal(err)
	}
	var clients []*sdk.Client
	for range 4 {
		client, err := sdk.Dial(t.Context(), sdk.Config{ContextDir: home})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		clients = append(clients, client)
	}
	for _, client := range clients {
		four, err := sdk.Func[int, int](client, "square").Call(t.Context(), 2)
		want(t, four, err, 4)
	}
}

func TestWhoIsNotAdmitted(t *testing.T) {
	m, other := startMesh(t, 1), startMesh(t, 1)
	_, err := sdk.Dial(t.Context(), sdk.Config{Token: other.token(admission.AllVerbs), Addrs: m.Node(0).Addrs()})
	wantKind(t, err, mesh.Denied)

	reader := m.dial(admission.Read)
	wantKind(t, sdk.Register[int](reader, "k").Put(t.Context(), 1), mesh.Denied)
	_, err = reader.Call(t.Context(), "square", 2)
	wantKind(t, err, mesh.Denied)
}

func TestNobodyAnswers(t *testing.T) {
	silent, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	m := startMesh(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = sdk.Dial(ctx, sdk.Config{Token: m.token(admission.AllVerbs), Addrs: []string{silent.LocalAddr().String()}})
	wantKind(t, err, mesh.Unavailable)
	if err == nil || !strings.Contains(err.Error(), silent.LocalAddr().String()) {
		t.Errorf("%v does not name the address", err)
	}
}

func TestAClosedClient(t *testing.T) {
	client := startMesh(t, 1).dial(admission.AllVerbs)
	for range 2 {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}
	_, err := client.Get(t.Context(), "k")
	wantKind(t, err, mesh.Cancelled)
}

func TestTheContextEndsACall(t *testing.T) {
	block := func(ctx context.Context, n int) (int, error) { <-ctx.Done(); return 0, ctx.Err() }
	m := startMesh(t, 1, node.Handle("block", block))
	for name, client := range map[string]*sdk.Client{"dial": m.dial(admission.AllVerbs), "attach": sdk.Attach(m.Node(0))} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := sdk.Func[int, int](client, "block").Call(ctx, 1)
		if mesh.KindOf(err) != mesh.DeadlineExceeded {
			t.Errorf("%s: got %v, want DeadlineExceeded", name, err)
		}
		cancel()
	}
}
