package node_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// startBench runs three nodes in this process, over loopback, with some functions.
func startBench(b *testing.B, functions ...node.Option) *simmesh.Mesh {
	m, err := simmesh.Start(b.Context(), simmesh.Options{Nodes: 3, Provide: natives(functions...)})
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
	m := startBench(b, node.Handle("next", func(_ context.Context, n int) (int, error) { return n + 1, nil }))
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

// BenchmarkRead is what it takes a function to read a key that its node owns: one
// of a hundred sets of ten, which a run at causal-session has written. A call reads
// a thousand times, so that it is no part of it.
func BenchmarkRead(b *testing.B) {
	const keys, elements, reads = 100, 10, 1000
	names := make([]string, keys)
	for i := range names {
		names[i] = fmt.Sprintf("set-%d", i)
	}
	fill := node.Handle("fill", func(ctx context.Context, n int) (int, error) {
		for i := range n {
			if err := fn.Add(ctx, names[i%keys], i); err != nil {
				return 0, err
			}
		}
		return n, nil
	})
	read := node.Handle("read", func(ctx context.Context, n int) (int, error) {
		for i := range n {
			if _, err := fn.Read(ctx, names[i%keys]); err != nil {
				return 0, err
			}
		}
		return n, nil
	})
	client := at(startBench(b, fill, read), 0)
	call := func(b *testing.B, function string, level mesh.Consistency, n int) {
		handle := sdk.Func[int, int](client, function)
		handle.Options.Consistency = level
		if _, err := handle.Call(b.Context(), n); err != nil {
			b.Fatal(err)
		}
	}
	call(b, "fill", mesh.CausalSession, keys*elements)
	for _, level := range []mesh.Consistency{mesh.Eventual, mesh.CausalKey, mesh.CausalCut, mesh.CausalSession} {
		b.Run(level.String(), func(b *testing.B) {
			b.ReportAllocs()
			for n := b.N; n > 0; n -= reads {
				call(b, "read", level, min(n, reads))
			}
		})
	}
}
