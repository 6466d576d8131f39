package node_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

func TestAResultIsStoredAndContinuedWith(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 3, Provide: arithmetic})
	create(t, at(m, 0), dag("pipeline", "incr square", "incr:square"))
	client := dial(t, m)
	function := sdk.Func[int, int](client, "square")
	function.Options.Output, function.Options.Then = "nine", "pipeline"
	got, next, err := function.CallThen(within(t, 30*time.Second), 3)
	wants(t, "the call", got, err, 9)
	stored, err := sdk.Register[int](client, "nine").Get(within(t, 30*time.Second))
	wants(t, "the output key", stored, err, 9)
	results, err := next.Wait(within(t, 30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	continued, err := sdk.Only[int](results)
	wants(t, "the next run", continued, err, 100)

	create(t, client, dag("both", "square incr", ""))
	both := client.DAG("both")
	both.Options.Output = "both"
	if _, err := both.Call(within(t, 30*time.Second), sdk.Args{"square": {3}, "incr": {3}}); err != nil {
		t.Fatal(err)
	}
	object, err := sdk.Register[map[string]int](client, "both").Get(within(t, 30*time.Second))
	if err != nil || object["square"] != 9 || object["incr"] != 4 {
		t.Errorf("two sinks are stored as %v, %v", object, err)
	}
	function.Options = sdk.CallOptions{Then: "nosuch"}
	_, err = function.Call(within(t, 30*time.Second), 3)
	wantsError(t, "a continuation by nothing", err, mesh.NotFound, "nosuch")
}

func TestAResultThatCannotBeStoredIsAnErrorUntilItCan(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 3, Provide: arithmetic})
	if err := sdk.ORSet[string](at(m, 0), "k").Add(within(t, 30*time.Second), "x"); err != nil {
		t.Fatal(err)
	}
	function := sdk.Func[int, int](at(m, 0), "square")
	function.Options.Output, function.Options.RunID = "k", mesh.NewRunID()
	_, err := function.Call(within(t, 30*time.Second), 3)
	wantsError(t, "storing over a set", err, mesh.KindMismatch, "not stored under default/k")
	status, err := at(m, 1).Run(function.Options.RunID).Status(within(t, 30*time.Second))
	if err != nil || status.State != mesh.Succeeded || status.Undelivered == nil {
		t.Errorf("the run stands at %+v, %v", status, err)
	}
	if err := at(m, 0).Delete(within(t, 30*time.Second), "k"); err != nil {
		t.Fatal(err)
	}
	got, err := function.Call(within(t, 30*time.Second), 3)
	wants(t, "the call again", got, err, 9)
	stored, err := sdk.Register[int](at(m, 2).WithState(sdk.StateOptions{ReadQuorum: 2}), "k").Get(within(t, 30*time.Second))
	wants(t, "the output key", stored, err, 9)
}

func TestACallerStoresAndContinuesOnlyWhatItMay(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 1, Provide: arithmetic})
	grant := admission.Grant{Role: admission.Client, Verbs: admission.Call | admission.Read, Functions: []string{"square"}}
	client := dialAs(t, m, grant)
	for what, options := range map[string]sdk.CallOptions{
		"storing without the right to write": {Output: "k"}, "continuing with what it may not call": {Then: "incr"},
	} {
		function := sdk.Func[int, int](client, "square")
		function.Options = options
		_, err := function.Call(within(t, 30*time.Second), 3)
		wantsError(t, what, err, mesh.Denied)
	}
	function := sdk.Func[int, int](client, "square")
	got, err := function.Call(within(t, 30*time.Second), 3)
	wants(t, "a plain call", got, err, 9)
}

// The coordinator dies while the run goes on, and the caller calls again.
func TestACallThatIsMadeAgainContinuesOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHeld()
		var continued atomic.Int32
		follow := func(ctx context.Context, n int) (int, error) {
			continued.Add(1)
			return n, fn.Inc(ctx, "followed", 1)
		}
		m := start(t, simulated(simmesh.Options{Nodes: 4, Provide: natives(node.Handle("hold", h.run), node.Handle("follow", follow))}))
		function := func(i int) *sdk.Function[int, int] {
			f := sdk.Func[int, int](at(m, i), "hold")
			f.Options = sdk.CallOptions{RunID: mesh.RunID{1}, Output: "k", Then: "follow"}
			return f
		}
		go function(0).Call(t.Context(), 5)
		<-h.started
		if err := m.Kill(0); err != nil {
			t.Fatal(err)
		}
		close(h.release)
		for i := range 2 {
			got, next, err := function(1+i).CallThen(within(t, time.Minute), 5)
			wants(t, "the call again", got, err, 5)
			if err != nil {
				return
			}
			if _, err := next.Wait(within(t, time.Minute)); err != nil || next.ID() != (mesh.RunID{1}).Next() {
				t.Errorf("run %s: %v", next.ID(), err)
			}
		}
		wants(t, "how often it was continued", continued.Load(), nil, 1)
		wants(t, "what the continuation counted", counted(t, m, 2, "followed"), nil, 1)
		stored, err := sdk.Register[int](at(m, 2), "k").Get(within(t, time.Minute))
		wants(t, "the output key", stored, err, 5)
	})
}
