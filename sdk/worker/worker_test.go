//go:build !wasip1

package worker_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
	"github.com/virga-mesh/virga/sdk/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func startMesh(t *testing.T, nodes int) *simmesh.Mesh {
	t.Helper()
	m, err := simmesh.Start(t.Context(), simmesh.Options{Nodes: nodes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// dial connects to one node, and no other if it is pinned.
func dial(t *testing.T, m *simmesh.Mesh, i int, pinned bool, verbs admission.Verbs) *sdk.Client {
	t.Helper()
	token, err := m.Token(admission.Grant{Role: admission.Client, Verbs: verbs, NotAfter: time.Now().Add(time.Hour)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	client, err := sdk.Dial(t.Context(), sdk.Config{Token: token.Text(), Addrs: m.Node(i).Addrs(), Pinned: pinned})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func start(t *testing.T, client *sdk.Client, functions ...fn.Function) *worker.Worker {
	t.Helper()
	w, err := worker.Start(t.Context(), client, functions...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Stop() })
	return w
}

func wantKind(t *testing.T, err error, kind mesh.ErrorKind) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("got %v, want %s", err, kind)
	}
}

func TestAClosureIsCalledFromAnyNode(t *testing.T) {
	m := startMesh(t, 2)
	var calls atomic.Int64
	add := func(_ context.Context, n int64) (int64, error) { return n + calls.Add(1), nil }
	start(t, dial(t, m, 0, true, admission.AllVerbs), worker.Handle("add", add))
	for i := range 2 {
		client := dial(t, m, i, true, admission.AllVerbs)
		got, err := sdk.Func[int64, int64](client, "add").Call(t.Context(), 10)
		if err != nil || got != int64(11+i) {
			t.Errorf("from node %d: %d, %v", i, got, err)
		}
	}
}

func TestErrorsAndPanicsReachTheCaller(t *testing.T) {
	m := startMesh(t, 1)
	client := dial(t, m, 0, true, admission.AllVerbs)
	start(t, client,
		worker.Handle("fail", func(context.Context, fn.None) (int, error) { return 0, errors.New("no luck") }),
		worker.Handle("panic", func(context.Context, fn.None) (int, error) { panic("out of luck") }),
		worker.Handle("typed", func(context.Context, fn.None) (int, error) {
			return 0, mesh.Errorf(mesh.Conflict, "typed", "changed")
		}),
	)
	for name, expected := range map[string]struct {
		kind mesh.ErrorKind
		text string
	}{"fail": {mesh.UserError, "no luck"}, "panic": {mesh.UserError, "out of luck"}, "typed": {mesh.Conflict, "changed"}} {
		_, err := client.Call(t.Context(), name)
		wantKind(t, err, expected.kind)
		if err == nil || !strings.Contains(err.Error(), expected.text) {
			t.Errorf("%s: %v does not say %q", name, err, expected.text)
		}
	}
}

func TestTheLibraryWorksOverTheConnection(t *testing.T) {
	m := startMesh(t, 2)
	client := dial(t, m, 0, true, admission.AllVerbs)
	double := func(_ context.Context, n int) (int, error) { return 2 * n, nil }
	remember := func(ctx context.Context, n int) (int, error) {
		twice, err := fn.Call[int](ctx, "double", n)
		if err != nil {
			return 0, err
		}
		if err := fn.Put(ctx, "last", twice); err != nil {
			return 0, err
		}
		last, err := fn.Get[int](ctx, "last")
		if err != nil {
			return 0, err
		}
		return last, fn.Delete(ctx, "last")
	}
	start(t, client, worker.Handle("double", double), worker.Handle("remember", remember))
	got, err := sdk.Func[int, int](dial(t, m, 1, true, admission.AllVerbs), "remember").Call(t.Context(), 21)
	if err != nil || got != 42 {
		t.Errorf("remember = %d, %v", got, err)
	}
	_, err = client.Get(t.Context(), "last")
	wantKind(t, err, mesh.NotFound)
}

func TestMessagesBetweenInvocations(t *testing.T) {
	m := startMesh(t, 2)
	ids := make(chan mesh.InvocationID, 1)
	listen := func(ctx context.Context, _ fn.None) (string, error) {
		ids <- fn.ID(ctx)
		messages, err := fn.Recv[string](ctx, 10*time.Second)
		if err != nil || len(messages) == 0 {
			return "", errors.Join(err, errors.New("no message"))
		}
		return messages[0].Body, nil
	}
	tell := func(ctx context.Context, to string) (fn.None, error) {
		id, err := mesh.ParseInvocationID(to)
		if err != nil {
			return fn.None{}, err
		}
		return fn.None{}, fn.Send(ctx, id, "psst")
	}
	start(t, dial(t, m, 0, true, admission.AllVerbs), worker.Handle("listen", listen))
	start(t, dial(t, m, 1, true, admission.AllVerbs), worker.Handle("tell", tell))
	client := dial(t, m, 0, true, admission.AllVerbs)
	future, err := sdk.Func[fn.None, string](client, "listen").Start(t.Context(), fn.None{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Call(t.Context(), "tell", (<-ids).String()); err != nil {
		t.Fatal(err)
	}
	if heard, err := future.Get(t.Context()); err != nil || heard != "psst" {
		t.Errorf("heard %q, %v", heard, err)
	}
}

func TestAWorkerMovesToAnotherNode(t *testing.T) {
	m := startMesh(t, 2)
	square := func(_ context.Context, n int) (int, error) { return n * n, nil }
	start(t, dial(t, m, 0, false, admission.AllVerbs), worker.Handle("square", square))
	if err := m.Stop(0); err != nil {
		t.Fatal(err)
	}
	client := dial(t, m, 1, true, admission.AllVerbs)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		got, err := sdk.Func[int, int](client, "square").Call(ctx, 3)
		if err == nil && got == 9 {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("the worker did not register again: %v", err)
		}
	}
}

func TestStopTakesTheFunctionsBack(t *testing.T) {
	m := startMesh(t, 1)
	mine, client := dial(t, m, 0, true, admission.AllVerbs), dial(t, m, 0, true, admission.AllVerbs)
	w := start(t, mine, worker.Handle("one", func(context.Context, fn.None) (int, error) { return 1, nil }))
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		_, err := client.Call(ctx, "one")
		if errors.Is(err, mesh.Unavailable) || errors.Is(err, mesh.NotFound) {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("the function is still there: %v", err)
		}
	}
	if err := sdk.Register[int](mine, "k").Put(ctx, 1); err != nil {
		t.Errorf("the client is of no use any more: %v", err)
	}
	start(t, mine, worker.Handle("one", func(context.Context, fn.None) (int, error) { return 2, nil }))
	if got, err := sdk.Func[fn.None, int](client, "one").Call(ctx, fn.None{}); err != nil || got != 2 {
		t.Errorf("the second worker: %d, %v", got, err)
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	m := startMesh(t, 1)
	client := dial(t, m, 0, true, admission.AllVerbs)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	called := make(chan struct{})
	go func() {
		served <- worker.Serve(ctx, client, worker.Handle("hello", func(context.Context, fn.None) (fn.None, error) {
			close(called)
			return fn.None{}, nil
		}))
	}()
	caller := dial(t, m, 0, true, admission.AllVerbs)
	for { // until it is registered
		if _, err := caller.Call(t.Context(), "hello"); err == nil {
			break
		} else if !errors.Is(err, mesh.NotFound) {
			t.Fatal(err)
		}
	}
	<-called
	cancel()
	if err := <-served; err != nil {
		t.Errorf("Serve = %v", err)
	}
}

func TestWhatCannotBeServed(t *testing.T) {
	m := startMesh(t, 1)
	client := dial(t, m, 0, true, admission.AllVerbs)
	nothing := func(context.Context, fn.None) (fn.None, error) { return fn.None{}, nil }
	ok := worker.Handle("ok", nothing)
	for _, c := range []struct {
		name      string
		client    *sdk.Client
		functions []fn.Function
		kind      mesh.ErrorKind
	}{
		{"nothing", client, nil, mesh.Invalid},
		{"a bad name", client, []fn.Function{worker.Handle("not ok", nothing)}, mesh.Invalid},
		{"a name twice", client, []fn.Function{ok, ok}, mesh.Invalid},
		{"over no connection", sdk.Attach(m.Node(0)), []fn.Function{ok}, mesh.Invalid},
		{"without permission", dial(t, m, 0, true, admission.Read|admission.Call), []fn.Function{ok}, mesh.Denied},
	} {
		_, err := worker.Start(t.Context(), c.client, c.functions...)
		wantKind(t, err, c.kind)
	}
	start(t, client, ok)
	_, err := worker.Start(t.Context(), client, ok)
	wantKind(t, err, mesh.Conflict)
}
