package node_test

import (
	"errors"
	"testing"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

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
