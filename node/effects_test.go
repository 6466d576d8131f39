package node_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
	"github.com/virga-mesh/virga/sdk/worker"
)

// counted reads a counter, from so many owners that every write is seen.
func counted(t *testing.T, m *simmesh.Mesh, through int, name string) int64 {
	t.Helper()
	n, err := sdk.Counter(at(m, through).WithState(sdk.StateOptions{ReadQuorum: 2}), name).Value(within(t, 30*time.Second))
	if err != nil && !errors.Is(err, mesh.NotFound) {
		t.Fatalf("read %s: %v", name, err)
	}
	return n
}

// fuse fails so often before it works. What it is given does not matter.
type fuse struct{ failures atomic.Int32 }

func (f *fuse) burn(_ context.Context, n int) (int, error) {
	if f.failures.Add(-1) >= 0 {
		return 0, errors.New("the fuse burns")
	}
	return n, nil
}

// writing counts, also through a function that it calls, and fails after its writes.
func writing(f *fuse) func(context.Context, string) (int, error) {
	return func(ctx context.Context, name string) (int, error) {
		var all sync.WaitGroup
		errs := make([]error, 3)
		for i := range errs {
			all.Go(func() { errs[i] = fn.Inc(ctx, name, int64(1+i/2)) }) // 1, 1 and 2
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			return 0, err
		}
		if _, err := fn.Call[fn.None](ctx, "bump", name+"-nested"); err != nil {
			return 0, err
		}
		if _, err := fn.Call[fn.None](ctx, "bump", name+"-nested"); err != nil {
			return 0, err
		}
		return f.burn(ctx, 1)
	}
}

func bump(ctx context.Context, name string) (fn.None, error) { return fn.None{}, fn.Inc(ctx, name, 1) }

func TestARetriedStageCountsOnce(t *testing.T) {
	f := &fuse{}
	m := start(t, simmesh.Options{Nodes: 3, Provide: natives(
		node.Handle("native", writing(f)), node.Handle("bump", bump), node.Handle("burn", f.burn),
	)})
	serve(t, dial(t, m, 1), worker.Handle("worker", writing(f)))
	deploy(t, at(m, 0), "tally", guestModule, "")
	retries := sdk.CallOptions{Stage: mesh.StageOptions{Retry: mesh.Retry{Attempts: 4}}}
	for _, name := range []string{"native", "worker"} {
		for i := range m.Len() {
			f.failures.Store(3)
			function := sdk.Func[string, int](at(m, i), name)
			function.Options = retries
			got, err := function.Call(within(t, 30*time.Second), name)
			wants(t, name, got, err, 1)
		}
		wants(t, "what a retried "+name+" counted", counted(t, m, 0, name), nil, 4*3)
		wants(t, "what functions counted that it called", counted(t, m, 0, name+"-nested"), nil, 2*3)
	}
	f.failures.Store(3)
	guest := sdk.Func[fn.Args3[string, string, int], int](at(m, 2), "tally")
	guest.Options = retries
	got, err := guest.Call(within(t, 30*time.Second), fn.Args3[string, string, int]{A: "guest", B: "burn", C: 7})
	wants(t, "the guest", got, err, 7)
	wants(t, "what a retried guest counted", counted(t, m, 1, "guest"), nil, 1)
}

func TestPlainCallsCountEachTime(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 3, Provide: natives(node.Handle("bump", bump))})
	for range 3 {
		if _, err := call[fn.None](t, at(m, 0), "bump", "n"); err != nil {
			t.Fatal(err)
		}
	}
	wants(t, "three calls", counted(t, m, 0, "n"), nil, 3)
}

// A node dies after a stage has counted there: the stage counts again
// elsewhere, and the counter does not.
func TestAStageThatIsRunAgainElsewhereCountsOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHeld()
		count := func(ctx context.Context, n int) (int, error) {
			if err := fn.Inc(ctx, "n", int64(n)); err != nil {
				return 0, err
			}
			return h.run(ctx, n)
		}
		m := start(t, simulated(simmesh.Options{Nodes: 4, Provide: func(i int) []node.Option {
			if i < 2 {
				return nil
			}
			return []node.Option{node.Handle("count", count)}
		}}))
		create(t, at(m, 0), dag("d", "count", ""))
		results := make(chan error, 1)
		go func() {
			got, err := at(m, 0).DAG("d").Call(t.Context(), sdk.Args{"count": {5}})
			if err == nil {
				_, err = sdk.Only[int](got)
			}
			results <- err
		}()
		<-h.started
		victim := 2
		if running(t, m, victim) == 0 {
			victim = 3
		}
		if err := m.Kill(victim); err != nil {
			t.Fatal(err)
		}
		<-h.started // again, elsewhere
		close(h.release)
		if err := <-results; err != nil {
			t.Fatal(err)
		}
		wants(t, "the counter", counted(t, m, 0, "n"), nil, 5)
	})
}

// The caller of a run calls again at another node, whose coordinator is gone.
func TestARunThatIsCalledAgainCountsOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHeld()
		count := func(ctx context.Context, n int) (int, error) {
			if err := fn.Inc(ctx, "n", int64(n)); err != nil {
				return 0, err
			}
			return h.run(ctx, n)
		}
		m := start(t, simulated(simmesh.Options{Nodes: 4, Provide: natives(node.Handle("count", count))}))
		function := func(i int) *sdk.Function[int, int] {
			f := sdk.Func[int, int](at(m, i), "count")
			f.Options.RunID = mesh.RunID{1, 2, 3}
			return f
		}
		go function(0).Call(t.Context(), 5)
		<-h.started
		if err := m.Kill(0); err != nil {
			t.Fatal(err)
		}
		results := make(chan error, 1)
		go func() {
			_, err := function(1).Call(t.Context(), 5)
			results <- err
		}()
		<-h.started
		close(h.release)
		if err := <-results; err != nil {
			t.Fatal(err)
		}
		wants(t, "the counter", counted(t, m, 2, "n"), nil, 5)
	})
}

func TestAFunctionStartsARunAndHandsOutItsFuture(t *testing.T) {
	begin := func(ctx context.Context, n int) (string, error) {
		future, err := fn.Start[int](ctx, "square", n)
		return future.ID.String(), err
	}
	f := &fuse{}
	beginTwice := func(ctx context.Context, n int) (string, error) {
		id, err := begin(ctx, n)
		if err != nil {
			return "", err
		}
		if err := fn.Add(ctx, "started", id); err != nil {
			return "", err
		}
		_, err = f.burn(ctx, n)
		return id, err
	}
	m := start(t, simmesh.Options{Nodes: 3, Provide: natives(
		node.Handle("square", square), node.Handle("begin", begin), node.Handle("begin-twice", beginTwice),
	)})
	serve(t, dial(t, m, 1), worker.Handle("begin-worker", begin))
	deploy(t, at(m, 0), "start", guestModule, "")
	deploy(t, at(m, 0), "finish", guestModule, "")
	for name, args := range map[string][]any{"begin": {3}, "begin-worker": {3}, "start": {"square", 3}} {
		id, err := call[string](t, at(m, 2), name, args...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := call[int](t, at(m, 1), "finish", id)
		wants(t, "the run that "+name+" started", got, err, 9)
	}
	f.failures.Store(1)
	function := sdk.Func[int, string](at(m, 0), "begin-twice")
	function.Options.Stage.Retry = mesh.Retry{Attempts: 2}
	id, err := function.Call(within(t, 30*time.Second), 4)
	if err != nil {
		t.Fatal(err)
	}
	started, err := sdk.ORSet[string](at(m, 0), "started").All(within(t, 30*time.Second))
	if err != nil || len(started) != 1 || started[0] != id {
		t.Errorf("two executions started the runs %v, %v; want %s alone", started, err, id)
	}
	_, err = call[int](t, at(m, 1), "finish", mesh.NewRunID().String())
	wantsError(t, "a run that nobody started", err, mesh.NotFound)
}

// A stage that finds no room makes the client call again, after stages before it have run.
func TestADAGThatIsRefusedMidwayCountsOnce(t *testing.T) {
	var counted atomic.Int32
	release, admin := make(chan struct{}), freeAddr(t)
	m := start(t, simmesh.Options{
		Nodes: 3,
		Provide: natives(
			node.Handle("count", func(ctx context.Context, n int) (int, error) {
				if counted.Add(1) == 2 {
					close(release)
				}
				return n, fn.Inc(ctx, "n", 1)
			}),
			node.Handle("square", square),
			node.Handle("block", func(ctx context.Context, _ fn.None) (fn.None, error) {
				select {
				case <-release:
				case <-ctx.Done():
				}
				return fn.None{}, ctx.Err()
			}),
		),
		Configure: func(i int, cfg *node.Config) {
			if i == 2 {
				cfg.Concurrency, cfg.Queue, cfg.AdminAddr = 1, 1, admin
			}
		},
	})
	ctx := within(t, time.Minute)
	full := m.Node(2).ID()
	block := sdk.Func[fn.None, fn.None](at(m, 2), "block")
	block.Options.Place = map[string]mesh.NodeID{"block": full}
	var blocked sync.WaitGroup
	defer blocked.Wait()
	for range 2 { // one runs, one waits
		blocked.Go(func() {
			if _, err := block.Call(ctx, fn.None{}); err != nil {
				t.Error(err)
			}
		})
	}
	until(t, 10*time.Second, "one runs and one waits", func() bool {
		_, text := fetch(t, "http://"+admin+"/metrics")
		return strings.Contains(text, "virga_invocations_waiting 1\n")
	})
	create(t, at(m, 0), dag("d", "count square", "count:square"))
	handle := at(m, 1).DAG("d")
	handle.Options.Place = map[string]mesh.NodeID{"count": m.Node(0).ID(), "square": full}
	results, err := handle.Call(ctx, sdk.Args{"count": {7}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := sdk.Only[int](results)
	wants(t, "the result", got, err, 49)
	if counted.Load() < 2 {
		t.Errorf("the first stage ran %d times: expected more, as the second was refused", counted.Load())
	}
	wantsCount(t, m, 1, "n", 1)
}
