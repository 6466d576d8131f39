package node_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
)

func TestARunawayGuestIsEndedAndTheNodeStaysWell(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 2})
	for export, limits := range map[string]mesh.Limits{
		"spin": {Time: 500 * time.Millisecond}, "hog": {Memory: 16 << 20}, "exit": {}, "panic": {}, "square": {},
	} {
		if _, err := dial(t, m, 0).Deploy(within(t, firstCompile), export, module(t, guestModule), sdk.DeployOptions{Limits: limits}); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name string
		args []any
		kind mesh.ErrorKind
		part string
	}{
		{"spin", nil, mesh.DeadlineExceeded, "limit of 500ms"},
		{"hog", nil, mesh.UserError, "memory"},
		{"exit", []any{3}, mesh.UserError, "code 3"},
		{"panic", []any{"bang"}, mesh.UserError, "bang"},
	} {
		for i := range m.Len() {
			_, err := at(m, i).Call(within(t, 30*time.Second), test.name, test.args...)
			wantsError(t, test.name, err, test.kind, test.part)
			got, err := call[int](t, at(m, i), "square", 5)
			wants(t, "square after "+test.name, got, err, 25)
		}
	}
	for i := range m.Len() {
		status, err := at(m, i).Status(within(t, 30*time.Second))
		if err != nil || !status.Ready || status.Running != 0 {
			t.Errorf("node %d afterwards: %+v, %v", i, status, err)
		}
	}
}

// holdAt gives a handle on the function of a held, placed on a node.
func holdAt(c *sdk.Client, where mesh.NodeID) *sdk.Function[int, int] {
	function := sdk.Func[int, int](c, "hold")
	function.Options.Place = map[string]mesh.NodeID{"hold": where}
	return function
}

func TestTheCallersDeadlineReachesTheFunctionOnAnotherNode(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHeld()
		m := start(t, simulated(simmesh.Options{Nodes: 3, Provide: natives(node.Handle("hold", h.run))}))
		began := time.Now()
		_, err := holdAt(dial(t, m, 0), m.Node(1).ID()).Call(within(t, 5*time.Second), 1)
		wantsError(t, "a call with a short deadline", err, mesh.DeadlineExceeded)
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("it took %v of virtual time, want about 5s", took)
		}
		<-h.cancelled
	})
}

func TestAnswersGoToWhoAskedAlsoAfterOneThatCameTooLate(t *testing.T) {
	h := newHeld()
	m := start(t, simmesh.Options{Nodes: 2, Provide: natives(node.Handle("square", square),
		node.Handle("stubborn", func(_ context.Context, n int) (int, error) { return h.run(context.Background(), n) }))})
	client := dial(t, m)
	for range 8 {
		_, err := client.Call(within(t, 10*time.Millisecond), "stubborn", -1)
		wantsError(t, "a call that takes too long", err, mesh.DeadlineExceeded)
	}
	var askers errgroup.Group
	for n := range 200 {
		if n == 100 {
			close(h.release) // the late answers come among the others
		}
		askers.Go(func() error {
			got, err := call[int](t, client, "square", n)
			wants(t, "square", got, err, n*n)
			return nil
		})
	}
	askers.Wait()
}

func TestTheFunctionsOwnLimitEndsItEverywhere(t *testing.T) {
	configure := func(_ int, cfg *node.Config) { cfg.FuncTime = 3 * time.Second }
	bubble(t, func(t *testing.T) {
		h := newHeld()
		m := start(t, simulated(simmesh.Options{Nodes: 2, Provide: natives(node.Handle("hold", h.run)), Configure: configure}))
		for i := range m.Len() {
			_, err := holdAt(at(m, 0), m.Node(i).ID()).Call(within(t, time.Minute), 1)
			wantsError(t, "a function that takes too long", err, mesh.DeadlineExceeded, "limit of 3s")
		}
	})
}

func TestACallerWhoGivesUpCancelsTheFunctionOnAnotherNode(t *testing.T) {
	h := newHeld()
	m := start(t, simmesh.Options{Nodes: 3, Provide: natives(node.Handle("hold", h.run))})
	for where := range m.Len() {
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		client := dial(t, m, 0)
		go func() {
			_, err := holdAt(client, m.Node(where).ID()).Call(ctx, 1)
			failed <- err
		}()
		<-h.started
		cancel()
		wantsError(t, "the call", <-failed, mesh.Cancelled)
		<-h.cancelled
	}
}

func TestAClientThatVanishesCancelsItsCalls(t *testing.T) {
	h := newHeld()
	m := start(t, simmesh.Options{Nodes: 2, Provide: natives(node.Handle("hold", h.run))})
	client := dial(t, m, 0)
	failed := make(chan error, 1)
	go func() {
		_, err := holdAt(client, m.Node(1).ID()).Call(t.Context(), 1)
		failed <- err
	}()
	<-h.started
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err == nil {
		t.Error("a call of a closed client succeeded")
	}
	<-h.cancelled
}

func TestWhatIsBeyondTheQueueIsOverloadedAtOnce(t *testing.T) {
	configure := func(_ int, cfg *node.Config) { cfg.Concurrency, cfg.Queue = 1, 1 }
	bubble(t, func(t *testing.T) {
		h := newHeld()
		m := start(t, simulated(simmesh.Options{Nodes: 1, Provide: natives(node.Handle("hold", h.run)), Configure: configure}))
		results := make(chan error, 2)
		for range 2 { // one runs, one waits
			go func() {
				_, err := at(m, 0).Call(t.Context(), "hold", 1)
				results <- err
			}()
		}
		synctest.Wait()
		hold := sdk.Func[int, int](at(m, 0), "hold")
		hold.Options.Once = true
		_, err := hold.Call(t.Context(), 1)
		wantsError(t, "a third call", err, mesh.Overloaded)
		if !mesh.KindOf(err).Retryable() {
			t.Error("overload is not retryable")
		}
		close(h.release)
		for range 2 {
			if err := <-results; err != nil {
				t.Errorf("a call within the bounds gave %v", err)
			}
		}
		got, err := call[int](t, at(m, 0), "hold", 4)
		wants(t, "a call after the overload", got, err, 4)
	})
}
