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
	"github.com/virga-mesh/virga/sdk/worker"
)

// makeCounter makes a function that counts its calls.
func makeCounter(context.Context) (func(context.Context, fn.None) (int, error), error) {
	calls := 0
	return func(context.Context, fn.None) (int, error) { calls++; return calls, nil }, nil
}

func makeNothing(context.Context) (func(context.Context, fn.None) (int, error), error) {
	return nil, errors.New("not ready")
}

// A function that is made first keeps what it was made with from call to call,
// whatever runs it. That it could not be made its callers are told.
func TestInitialisedFunctionsOfAllKinds(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 2, Provide: natives(node.HandleInit("native", makeCounter), node.HandleInit("native-unready", makeNothing))})
	serve(t, dial(t, m, 1), worker.HandleInit("worker", makeCounter), worker.HandleInit("worker-unready", makeNothing))
	deploy(t, at(m, 0), "counter", guestModule, "")
	deploy(t, at(m, 0), "unready", guestModule, "")
	for _, name := range []string{"native", "worker", "counter"} {
		function := sdk.Func[fn.None, int](at(m, 0), name)
		function.Options.Place = map[string]mesh.NodeID{name: m.Node(1).ID()}
		for want := 1; want <= 3; want++ {
			got, err := function.Call(within(t, 30*time.Second), fn.None{})
			wants(t, name, got, err, want)
		}
	}
	for name, words := range map[string]string{"native-unready": "not ready", "worker-unready": "not ready", "unready": "nothing works here"} {
		_, err := call[int](t, at(m, 0), name)
		wantsError(t, name, err, mesh.UserError, words)
	}
}
