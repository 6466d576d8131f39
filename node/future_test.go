package node_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// held is a function that ends when it is let go: it gives what it got.
type held struct{ started, release, cancelled chan struct{} }

func newHeld() held {
	return held{make(chan struct{}, 16), make(chan struct{}), make(chan struct{}, 16)}
}

func (h held) run(ctx context.Context, n int) (int, error) {
	h.started <- struct{}{}
	select {
	case <-h.release:
		return n, nil
	case <-ctx.Done():
		h.cancelled <- struct{}{}
		return 0, ctx.Err()
	}
}

func TestAFutureStartedAtOneNodeIsAwaitedByItsIDThroughAnother(t *testing.T) {
	h := newHeld()
	m := start(t, simmesh.Options{Nodes: 3, Provide: natives(node.Handle("hold", h.run))})
	function := sdk.Func[int, int](dial(t, m, 0), "hold")
	function.Options.Place = map[string]mesh.NodeID{"hold": m.Node(1).ID()}
	future, err := function.Start(within(t, 30*time.Second), 7)
	if err != nil {
		t.Fatal(err)
	}
	<-h.started
	elsewhere := sdk.FutureOf[int](dial(t, m, 2), future.ID())
	status, err := elsewhere.Status(within(t, 30*time.Second))
	if err != nil || status.State != mesh.Running || status.Coordinator != m.Node(0).ID() || status.Stages[0].Node != m.Node(1).ID() {
		t.Errorf("the status while it runs is %+v, %v", status, err)
	}
	_, err = elsewhere.Get(within(t, 50*time.Millisecond))
	wantsError(t, "waiting too shortly", err, mesh.DeadlineExceeded)
	close(h.release)
	for i := range m.Len() {
		got, err := sdk.FutureOf[int](at(m, i), future.ID()).Get(within(t, 30*time.Second))
		wants(t, "the future", got, err, 7)
	}
	status, err = elsewhere.Status(within(t, 30*time.Second))
	if err != nil || status.State != mesh.Succeeded || len(status.Results) != 1 {
		t.Errorf("the status when it is over is %+v, %v", status, err)
	}
}

func TestAFailedFutureGivesItsErrorToEveryoneWhoAwaitsIt(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 3, Provide: natives(
		node.Handle("list", list),
		node.Handle("fail", func(context.Context, string) (string, error) { return "", errors.New("no luck") }),
	)})
	create(t, at(m, 0), dag("chain", "list fail", "list:fail"))
	run, err := at(m, 0).DAG("chain").Start(within(t, 30*time.Second), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Len() {
		_, err := at(m, i).Run(run.ID()).Wait(within(t, 30*time.Second))
		wantsError(t, "the run", err, mesh.UserError, "stage fail", "no luck")
	}
}

func TestACancelledRunStopsItsFunctionAndStaysCancelled(t *testing.T) {
	h := newHeld()
	m := start(t, simmesh.Options{Nodes: 3, Provide: natives(node.Handle("hold", h.run))})
	function := sdk.Func[int, int](dial(t, m, 0), "hold")
	function.Options.Place = map[string]mesh.NodeID{"hold": m.Node(1).ID()}
	future, err := function.Start(within(t, 30*time.Second), 7)
	if err != nil {
		t.Fatal(err)
	}
	<-h.started
	if err := dial(t, m, 2).Run(future.ID()).Cancel(within(t, 30*time.Second)); err != nil {
		t.Fatal(err)
	}
	<-h.cancelled
	for i := range m.Len() {
		_, err := sdk.FutureOf[int](at(m, i), future.ID()).Get(within(t, 30*time.Second))
		wantsError(t, "a cancelled run", err, mesh.Cancelled)
	}
}

func TestAnUnknownRunIsNotFound(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 2})
	run := dial(t, m).Run(mesh.NewRunID())
	_, err := run.Wait(within(t, 30*time.Second))
	wantsError(t, "waiting", err, mesh.NotFound, run.ID().String())
	_, err = run.Status(within(t, 30*time.Second))
	wantsError(t, "the status", err, mesh.NotFound)
	wantsError(t, "cancelling", run.Cancel(within(t, 30*time.Second)), mesh.NotFound)
}

func TestACallWithTheIDOfARunIsThatRun(t *testing.T) {
	calls := make(chan int, 8)
	m := start(t, simmesh.Options{Nodes: 2, Provide: natives(
		node.Handle("count", func(context.Context, fn.None) (int, error) { calls <- 1; return len(calls), nil }),
	)})
	function := sdk.Func[fn.None, int](dial(t, m, 0), "count")
	function.Options.RunID = mesh.NewRunID()
	for range 3 {
		got, err := function.Call(within(t, 30*time.Second), fn.None{})
		wants(t, "the call", got, err, 1)
	}
	if len(calls) != 1 {
		t.Errorf("the function ran %d times, want once", len(calls))
	}
}

func TestARunThatFailedForWantOfNodesTimeOrRoomIsBegunAgainByItsID(t *testing.T) {
	for _, want := range []mesh.ErrorKind{mesh.Unavailable, mesh.DeadlineExceeded, mesh.Overloaded} {
		t.Run(want.String(), func(t *testing.T) {
			calls := make(chan int, 8)
			m := start(t, simmesh.Options{Nodes: 3, Provide: natives(
				node.Handle("flaky", func(ctx context.Context, _ fn.None) (int, error) {
					if err := fn.Inc(ctx, "tries", 1); err != nil {
						return 0, err
					}
					calls <- 1
					if len(calls) == 1 {
						return 0, mesh.Errorf(want, "flaky", "not now")
					}
					return len(calls), nil
				}),
			)})
			id := mesh.NewRunID()
			call := func(through int) (int, error) {
				function := sdk.Func[fn.None, int](at(m, through), "flaky")
				function.Options.RunID, function.Options.Once = id, true
				return function.Call(within(t, 30*time.Second), fn.None{})
			}
			_, err := call(0)
			wantsError(t, "the first call", err, want, "not now")
			for through := range m.Len() {
				got, err := call(through)
				wants(t, "a later call", got, err, 2)
			}
			if len(calls) != 2 {
				t.Errorf("the function ran %d times, want twice", len(calls))
			}
			wantsCount(t, m, 0, "tries", 1)
		})
	}
}

// The deadline was that of the call, and the next call has another.
func TestACallThatRanOutOfTimeIsMadeAgainByItsID(t *testing.T) {
	release := make(chan struct{})
	m := start(t, simmesh.Options{Nodes: 3, Provide: natives(
		node.Handle("slow", func(ctx context.Context, _ fn.None) (int, error) {
			if err := fn.Inc(ctx, "tries", 1); err != nil {
				return 0, err
			}
			select {
			case <-release:
				return 7, nil
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}),
	)})
	id := mesh.NewRunID()
	call := func(through int, limit time.Duration) (int, error) {
		function := sdk.Func[fn.None, int](at(m, through), "slow")
		function.Options.RunID = id
		return function.Call(within(t, limit), fn.None{})
	}
	_, err := call(0, 500*time.Millisecond)
	wantsError(t, "the call with little time", err, mesh.DeadlineExceeded, "")
	close(release)
	for through := range m.Len() {
		got, err := call(through, 30*time.Second)
		wants(t, "a call with more", got, err, 7)
	}
	wantsCount(t, m, 0, "tries", 1)
}

func TestAResultIsForgottenAfterItsTime(t *testing.T) {
	configure := func(_ int, cfg *node.Config) { cfg.ResultTTL = time.Minute }
	simulate(t, simmesh.Options{Nodes: 3, Provide: arithmetic, Configure: configure}, func(t *testing.T, m *simmesh.Mesh) {
		future, err := sdk.Func[int, int](at(m, 0), "square").Start(t.Context(), 3)
		if err != nil {
			t.Fatal(err)
		}
		got, err := sdk.FutureOf[int](at(m, 1), future.ID()).Get(t.Context())
		wants(t, "the future", got, err, 9)
		time.Sleep(2 * time.Minute) // virtual
		for i := range m.Len() {
			_, err = sdk.FutureOf[int](at(m, i), future.ID()).Get(t.Context())
			wantsError(t, "the future after its time", err, mesh.NotFound, "no longer kept")
		}
	})
}

func TestAResultIsForgottenThoughItsNodesDied(t *testing.T) {
	configure := func(_ int, cfg *node.Config) { cfg.ResultTTL = time.Minute }
	simulate(t, simmesh.Options{Nodes: 4, Provide: arithmetic, Configure: configure}, func(t *testing.T, m *simmesh.Mesh) {
		future, err := sdk.Func[int, int](at(m, 0), "square").Start(t.Context(), 3)
		if err != nil {
			t.Fatal(err)
		}
		got, err := future.Get(t.Context())
		wants(t, "the future", got, err, 9)
		if err := m.Stop(0); err != nil {
			t.Fatal(err)
		}
		got, err = sdk.FutureOf[int](at(m, 1), future.ID()).Get(t.Context())
		wants(t, "the future at another node", got, err, 9)
		if err := m.Stop(1); err != nil { // and comes back with what is on its disk
			t.Fatal(err)
		}
		if err := m.Restart(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute) // virtual
		for _, i := range m.Running() {
			_, err = sdk.FutureOf[int](at(m, i), future.ID()).Get(t.Context())
			wantsError(t, "the future after its time", err, mesh.NotFound, "no longer kept")
		}
	})
}
