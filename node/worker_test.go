package node_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
	"github.com/virga-mesh/virga/sdk/worker"
)

// serve offers functions from a client's process until the test ends.
func serve(t *testing.T, c *sdk.Client, functions ...fn.Function) *worker.Worker {
	t.Helper()
	w, err := worker.Start(t.Context(), c, functions...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Stop(); err != nil {
			t.Errorf("stop a worker: %v", err)
		}
	})
	return w
}

func TestAClosureOfAWorkerIsCalledThroughEveryNodeUntilItsClientCloses(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 3})
	var calls atomic.Int32
	client := dial(t, m, 0)
	serve(t, client, worker.Handle("cube", func(_ context.Context, n int) (int, error) {
		calls.Add(1)
		return n * n * n, nil
	}))
	for i := range m.Len() {
		got, err := call[int](t, at(m, i), "cube", 3)
		wants(t, "cube(3)", got, err, 27)
	}
	if calls.Load() != 3 {
		t.Errorf("the closure ran %d times, want 3", calls.Load())
	}
	_, err := call[int](t, at(m, 1), "cube", "x")
	wantsError(t, `cube("x")`, err, mesh.Invalid, "expected int")

	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range m.Len() {
		_, err := call[int](t, at(m, i), "cube", 3)
		wantsError(t, "cube without its worker", err, mesh.Unavailable)
	}
}

func TestACallUnderWayFailsWhenItsWorkerGoes(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 2})
	client := dial(t, m, 0)
	running := make(chan struct{})
	serve(t, client, worker.Handle("hang", func(ctx context.Context, _ fn.None) (int, error) {
		close(running)
		<-ctx.Done()
		return 0, ctx.Err()
	}))
	failed := make(chan error, 1)
	go func() {
		_, err := at(m, 1).Call(t.Context(), "hang")
		failed <- err
	}()
	<-running
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	wantsError(t, "the call under way", <-failed, mesh.Unavailable)
}

func TestWorkersOfOneFunctionTakeTurns(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 2})
	for name := range 2 {
		serve(t, dial(t, m, 0), worker.Handle("who", func(context.Context, fn.None) (int, error) { return name, nil }))
	}
	seen := map[int]int{}
	for range 4 {
		who, err := call[int](t, at(m, 1), "who")
		if err != nil {
			t.Fatal(err)
		}
		seen[who]++
	}
	if seen[0] != 2 || seen[1] != 2 {
		t.Errorf("of four calls the workers took %v", seen)
	}
}

func TestAWorkerServesAgainThroughAnotherNode(t *testing.T) {
	simulate(t, simmesh.Options{Nodes: 3}, func(t *testing.T, m *simmesh.Mesh) {
		serve(t, dial(t, m), worker.Handle("square", square))
		info, err := at(m, 0).GetFunc(within(t, time.Minute), "square")
		if err != nil || len(info.Current.Hosts) != 1 {
			t.Fatalf("the hosts are %+v, %v", info.Current, err)
		}
		for i := range m.Len() {
			if m.Node(i).ID() == info.Current.Hosts[0] {
				if err := m.Kill(i); err != nil {
					t.Fatal(err)
				}
				break
			}
		}
		survivor := at(m, m.Running()[0])
		served := func() bool {
			got, err := call[int](t, survivor, "square", 3)
			if err != nil && mesh.KindOf(err) != mesh.Unavailable {
				t.Fatal(err)
			}
			return err == nil && got == 9
		}
		until(t, time.Minute, "the worker serves through another node", served)
	})
}
