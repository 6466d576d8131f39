package node_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
)

// startBench runs three nodes in this process, over loopback, whose function
// "next" adds one.
func startBench(b *testing.B) *simmesh.Mesh {
	next := node.Handle("next", func(_ context.Context, n int) (int, error) { return n + 1, nil })
	m, err := simmesh.Start(b.Context(), simmesh.Options{Nodes: 3, Provide: natives(next)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := m.Close(); err != nil {
			b.Error(err)
		}
	})
	return m
}

// chain is a DAG of so many stages, one after the other.
func chain(stages int) *mesh.DAG {
	d := &mesh.DAG{Namespace: mesh.DefaultNamespace, Name: fmt.Sprintf("chain-%d", stages)}
	for i := range stages {
		d.Stages = append(d.Stages, mesh.Stage{Name: fmt.Sprintf("s%d", i), Func: mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: "next"}})
		if i > 0 {
			d.Edges = append(d.Edges, mesh.Edge{From: d.Stages[i-1].Name, To: d.Stages[i].Name})
		}
	}
	return d
}

// BenchmarkChain is what runs of chains take that a node's own process calls:
// with all stages on that node, and by turns on the two others. What the three
// nodes allocate counts, so the difference between two lengths is the cost of
// a stage, or of a hop.
func BenchmarkChain(b *testing.B) {
	m := startBench(b)
	client := at(m, 0)
	for _, stages := range []int{1, 2, 16} {
		d := chain(stages)
		if err := client.CreateDAG(b.Context(), d); err != nil {
			b.Fatal(err)
		}
		for _, apart := range []bool{false, true} {
			handle, name := client.DAG(d.Name), "together"
			if apart {
				name, handle.Options.Place = "apart", map[string]mesh.NodeID{}
				for i, stage := range d.Stages {
					handle.Options.Place[stage.Name] = m.Node(1 + i%2).ID()
				}
			}
			b.Run(fmt.Sprintf("%s/%d", name, stages), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := handle.Call(b.Context(), sdk.Args{"s0": {1}}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
