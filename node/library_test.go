package node_test

import (
	"context"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
	"github.com/virga-mesh/virga/sdk/worker"
)

// onlyAt provides options at one node.
func onlyAt(where int, options ...node.Option) func(int) []node.Option {
	return func(i int) []node.Option {
		if i != where {
			return nil
		}
		return options
	}
}

func TestFunctionsCallFunctionsOfOtherNodes(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 3, Provide: onlyAt(2, node.Handle("square", square), node.Handle("twice",
		func(ctx context.Context, n int) (int, error) {
			once, err := fn.Call[int](ctx, "square", n)
			if err != nil {
				return 0, err
			}
			return fn.Call[int](ctx, "square", once)
		}))})
	deploy(t, at(m, 0), "relay", guestModule, "") // WebAssembly that calls what it is told to
	for i := range m.Len() {
		got, err := call[int](t, at(m, i), "twice", 3)
		wants(t, "twice(3)", got, err, 81)
		got, err = call[int](t, at(m, i), "relay", "twice", 2)
		wants(t, `relay("twice", 2)`, got, err, 16)
		_, err = call[int](t, at(m, i), "relay", "nosuch", 2)
		wantsError(t, `relay("nosuch", 2)`, err, mesh.NotFound, "nosuch")
	}
}

func TestFunctionsOfAllKindsReadAndWriteTheSameState(t *testing.T) {
	remember := func(ctx context.Context, text string) (string, error) {
		if err := fn.Put(ctx, "memory", text); err != nil {
			return "", err
		}
		return fn.Get[string](ctx, "memory")
	}
	m := start(t, simmesh.Options{Nodes: 3, Provide: onlyAt(0, node.Handle("native", remember))})
	serve(t, dial(t, m, 1), worker.Handle("worker", remember))
	for _, export := range []string{"put", "get", "delete", "tags", "mismatch"} {
		deploy(t, at(m, 2), export, guestModule, "")
	}
	got, err := call[string](t, at(m, 2), "native", "by a native function")
	wants(t, "native", got, err, "by a native function")
	got, err = call[string](t, at(m, 0), "worker", "by a worker")
	wants(t, "worker", got, err, "by a worker")
	if _, err := at(m, 1).Call(within(t, 30*time.Second), "put", "memory", "by a guest"); err != nil {
		t.Fatal(err)
	}
	for i := range m.Len() {
		client := at(m, i).WithState(sdk.StateOptions{ReadQuorum: 2})
		got, err := sdk.Register[string](client, "memory").Get(within(t, 30*time.Second))
		wants(t, "the memory", got, err, "by a guest")
	}
	_, err = at(m, 1).Call(within(t, 30*time.Second), "mismatch", "memory")
	wantsError(t, "counting on a register", err, mesh.KindMismatch)
	if _, err := at(m, 1).Call(within(t, 30*time.Second), "delete", "memory"); err != nil {
		t.Fatal(err)
	}
	_, err = at(m, 1).WithState(sdk.StateOptions{ReadQuorum: 2}).Get(within(t, 30*time.Second), "memory")
	wantsError(t, "the memory, deleted", err, mesh.NotFound)
	_, err = at(m, 1).Call(within(t, 30*time.Second), "get", "memory")
	wantsError(t, "a guest that gets what is missing", err, mesh.NotFound)
}

func TestAGuestPutsPlainValuesAndReadsSeveralKeys(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 2})
	deploy(t, at(m, 0), "several", guestModule, "")
	got, err := call[int](t, at(m, 1), "several", "guest")
	wants(t, "several", got, err, 7)
}

func TestFunctionsDoNotTouchWhatTheMeshKnowsOfItself(t *testing.T) {
	system := mesh.Key{Namespace: mesh.SystemNamespace, Name: "function/default/spy"}
	m := start(t, simmesh.Options{Nodes: 1, Provide: natives(
		node.Handle("spy", func(ctx context.Context, _ fn.None) (string, error) { return fn.Get[string](ctx, system) }),
		node.Handle("forge", func(ctx context.Context, _ fn.None) (fn.None, error) { return fn.None{}, fn.Put(ctx, system, "x") }),
		node.Handle("wipe", func(ctx context.Context, _ fn.None) (fn.None, error) { return fn.None{}, fn.Delete(ctx, system) }),
	)})
	for _, name := range []string{"spy", "forge", "wipe"} {
		_, err := at(m, 0).Call(within(t, 30*time.Second), name)
		wantsError(t, name, err, mesh.Denied, "nodes only")
	}
}

// gossip averages numbers among invocations that know nothing of one another
// but the set in which they meet.
func gossip(ctx context.Context, args fn.Args2[float64, int]) (float64, error) {
	number, count := args.A, args.B
	if err := fn.Add(ctx, "actors", fn.ID(ctx).String()); err != nil {
		return 0, err
	}
	sum, heard := number, 1
	listen := func(wait time.Duration) error {
		messages, err := fn.Recv[float64](ctx, wait)
		for _, message := range messages {
			sum += message.Body
			heard++
		}
		return err
	}
	var actors []string
	for len(actors) < count {
		if err := listen(10 * time.Millisecond); err != nil {
			return 0, err
		}
		var err error
		if actors, err = fn.Get[[]string](ctx, "actors"); err != nil {
			return 0, err
		}
	}
	for _, actor := range actors {
		id, err := mesh.ParseInvocationID(actor)
		if err != nil {
			return 0, err
		}
		if id == fn.ID(ctx) {
			continue
		}
		if err := fn.Send(ctx, id, number); err != nil {
			return 0, err
		}
	}
	for heard < count {
		if err := listen(time.Second); err != nil {
			return 0, err
		}
	}
	return sum / float64(heard), nil
}

func TestInvocationsOnDifferentNodesGossip(t *testing.T) {
	simulate(t, simmesh.Options{Nodes: 3, Provide: natives(node.Handle("gossip", gossip))}, func(t *testing.T, m *simmesh.Mesh) {
		serve(t, dial(t, m, 1), worker.Handle("worker-gossip", gossip))
		const actors = 7
		var all errgroup.Group
		for i := range actors {
			name := "gossip"
			if i == actors-1 {
				name = "worker-gossip"
			}
			all.Go(func() error {
				function := sdk.Func[fn.Args2[float64, int], float64](at(m, i%m.Len()), name)
				function.Options.Place = map[string]mesh.NodeID{"gossip": m.Node((i + 1) % m.Len()).ID()}
				if name != "gossip" {
					function.Options.Place = nil
				}
				average, err := function.Call(within(t, time.Minute), fn.Args2[float64, int]{A: float64(i), B: actors})
				if err == nil && average != 3 {
					t.Errorf("actor %d of 0 to 6 found the average %v", i, average)
				}
				return err
			})
		}
		if err := all.Wait(); err != nil {
			t.Error(err)
		}
	})
}

func TestAMessageToAnInvocationThatIsOverIsNotFound(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 2, Provide: natives(
		node.Handle("id", func(ctx context.Context, _ fn.None) (string, error) { return fn.ID(ctx).String(), nil }),
		node.Handle("tell", func(ctx context.Context, to string) (fn.None, error) {
			id, err := mesh.ParseInvocationID(to)
			if err != nil {
				return fn.None{}, err
			}
			return fn.None{}, fn.Send(ctx, id, "too late")
		}),
	)})
	id, err := call[string](t, at(m, 0), "id")
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Len() {
		_, err = at(m, i).Call(within(t, 30*time.Second), "tell", id)
		wantsError(t, "the message", err, mesh.NotFound)
	}
	_, err = at(m, 0).Call(within(t, 30*time.Second), "tell", "not an id")
	wantsError(t, "a message to nobody", err, mesh.Invalid)
}

func TestAKeyAsAnArgumentIsReadBeforeTheCall(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 3, Provide: arithmetic})
	if err := sdk.Register[int](at(m, 0), "side").Put(within(t, 30*time.Second), 12); err != nil {
		t.Fatal(err)
	}
	client := dial(t, m)
	got, err := call[int](t, client, "square", client.Ref("side"))
	wants(t, "square of a key", got, err, 144)
	_, err = call[int](t, client, "square", client.Ref("nosuch"))
	wantsError(t, "square of a missing key", err, mesh.NotFound, "nosuch")
}
