package node_test

import (
	"context"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
	"github.com/virga-mesh/virga/sdk/worker"
)

// explained runs a DAG of one stage on a node, and gives what is told of it.
func explained(t *testing.T, m *simmesh.Mesh, on int, name string, args ...any) sdk.StageStatus {
	t.Helper()
	d := dagOn(m, on, name)
	run, err := d.Start(within(t, time.Minute), sdk.Args{name: args})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Wait(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	status, err := run.Status(within(t, time.Minute))
	if err != nil || len(status.Stages) != 1 {
		t.Fatalf("the run is %+v, %v", status, err)
	}
	return status.Stages[0]
}

// dagOn gives the DAG of a name, whose one stage of that name is to run on a node.
func dagOn(m *simmesh.Mesh, on int, name string) *sdk.DAG {
	d := at(m, 0).DAG(name)
	d.Options.Place = map[string]mesh.NodeID{name: m.Node(on).ID()}
	return d
}

// Whatever executes a function, the time that it waits for its place is told as that.
func TestExplainTellsTheTimeAtTheGate(t *testing.T) {
	h := newHeld()
	m := start(t, simmesh.Options{
		Nodes: 2, Provide: natives(node.Handle("hold", h.run), node.Handle("native", square)),
		Configure: func(_ int, cfg *node.Config) { cfg.Concurrency = 1 },
	})
	serve(t, dial(t, m, 1), worker.Handle("worker", square))
	deploy(t, at(m, 0), "square", guestModule, "")
	for _, name := range []string{"native", "worker", "square"} {
		create(t, at(m, 0), dag(name, name, ""))
		if s := explained(t, m, 1, name, 3); s.Queued > s.Took+time.Second {
			t.Errorf("%s on an idle node: queued %v, took %v", name, s.Queued, s.Took)
		}
	}
	for _, name := range []string{"native", "worker", "square"} {
		holding := make(chan error, 1)
		go func() {
			hold := sdk.Func[int, int](at(m, 1), "hold")
			hold.Options.Place = map[string]mesh.NodeID{"hold": m.Node(1).ID()}
			_, err := hold.Call(within(t, time.Minute), 1)
			holding <- err
		}()
		<-h.started
		told := make(chan sdk.StageStatus, 1)
		go func() { told <- explained(t, m, 1, name, 3) }()
		until(t, 30*time.Second, "the stage waits for its place", func() bool { return waiting(t, m, 1) == 1 })
		waits := time.Now()
		for range 20 {
			waiting(t, m, 1)
		}
		least := time.Since(waits)
		h.release <- struct{}{}
		if s := <-told; s.Queued < least {
			t.Errorf("%s waited at least %v: queued %v, took %v", name, least, s.Queued, s.Took)
		}
		if err := <-holding; err != nil {
			t.Fatal(err)
		}
	}
}

// waiting is how many invocations wait for a place on a node.
func waiting(t *testing.T, m *simmesh.Mesh, i int) int {
	t.Helper()
	status, err := at(m, i).Status(within(t, 30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return int(status.Waiting)
}

// What a stage reads, as an argument or by itself, is told: what its node had,
// and what came from elsewhere, with its bytes.
func TestExplainTellsWhatWasAtHand(t *testing.T) {
	look := func(ctx context.Context, given string) (int, error) {
		text, err := fn.Get[string](ctx, "read")
		return len(given) + len(text), err
	}
	m := start(t, simmesh.Options{Nodes: 6, Provide: natives(node.Handle("look", look))})
	deploy(t, at(m, 0), "get", guestModule, "")
	put(t, m, 0, "given", "0123456789")
	put(t, m, 0, "read", "01234567890123456789")
	create(t, at(m, 0), dag("look", "look", ""))
	create(t, at(m, 0), dag("get", "get", ""))
	for _, reader := range []struct {
		name string
		keys int
		arg  any
	}{{"look", 2, at(m, 0).Ref("given")}, {"get", 1, "read"}} { // the first to read is native, the second a guest
		name, keys := reader.name, reader.keys
		owned := 0
		for i := range m.Len() {
			first, again := explained(t, m, i, name, reader.arg), explained(t, m, i, name, reader.arg)
			if first.CacheHits+first.CacheMisses != keys || again.CacheHits != keys || again.CacheMisses != 0 || again.MovedBytes > first.MovedBytes {
				t.Errorf("%s on node %d: %+v and then %+v", name, i, first, again)
			}
			if moved := first.MovedBytes - again.MovedBytes; (moved > 0) != (first.CacheMisses > 0) {
				t.Errorf("%s on node %d: %d bytes moved by %d misses", name, i, moved, first.CacheMisses)
			}
			owned += first.CacheHits
		}
		if name == "look" && owned != 2*3 { // of each key there are three owners
			t.Errorf("%d keys were at hand at the first read: expected those of the owners, 6", owned)
		}
	}
}
