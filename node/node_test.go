package node_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func square(_ context.Context, n int) (int, error) { return n * n, nil }

func incr(_ context.Context, n int) (int, error) { return n + 1, nil }

// arithmetic makes square and incr native functions of the ith node.
func arithmetic(int) []node.Option {
	return []node.Option{node.Handle("square", square), node.Handle("incr", incr)}
}

// start runs a mesh on loopback until the test ends.
func start(t *testing.T, o simmesh.Options) *simmesh.Mesh {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	m, err := simmesh.Start(ctx, o)
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

func TestNativeCall(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 1, Provide: arithmetic})
	client := sdk.Attach(m.Node(0))
	got, err := sdk.Func[int, int](client, "square").Call(t.Context(), 7)
	if err != nil || got != 49 {
		t.Errorf("square(7) = %d, %v", got, err)
	}
}

func TestPipelineAcrossThreeNodes(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 3, Provide: arithmetic})
	client := sdk.Attach(m.Node(0))
	create := &mesh.DAG{Name: "pipeline", Edges: []mesh.Edge{{From: "incr", To: "square"}}}
	for _, name := range []string{"incr", "square"} {
		create.Stages = append(create.Stages, mesh.Stage{Name: name, Func: mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: name}})
	}
	if err := client.CreateDAG(t.Context(), create); err != nil {
		t.Fatal(err)
	}
	for i := range m.Len() {
		dag := sdk.Attach(m.Node(i)).DAG("pipeline")
		dag.Options.Place = map[string]mesh.NodeID{"incr": m.Node(1).ID(), "square": m.Node(2).ID()}
		results, err := dag.Call(t.Context(), sdk.Args{"incr": {1}})
		if err != nil {
			t.Fatalf("through node %d: %v", i, err)
		}
		if got, err := sdk.Only[int](results); err != nil || got != 4 {
			t.Errorf("through node %d: pipeline(1) = %d, %v", i, got, err)
		}
	}
}

func TestStateIsSeenFromEveryNode(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 3})
	if _, err := sdk.Func[int, int](sdk.Attach(m.Node(0)), "nosuch").Call(t.Context(), 1); !errors.Is(err, mesh.NotFound) {
		t.Errorf("an unknown function gave %v", err)
	}
}
