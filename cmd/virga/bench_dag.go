package main

import (
	"context"
	"fmt"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// chainLengths are the stages of the chains that are measured.
var chainLengths = []int{1, 2, 4, 8, 16}

func chainCase(stages int, apart bool) string {
	return fmt.Sprintf("chain of %d, %s", stages, togetherOrApart(apart))
}

func togetherOrApart(apart bool) string {
	if apart {
		return "apart"
	}
	return "together"
}

// dag measures chains and a diamond with one caller: with all stages on the
// node asked, and with neighbours on different nodes.
func (b *benchRun) dag(ctx context.Context) error {
	diamond := diamondDAG()
	if err := b.mesh.client.CreateDAG(ctx, diamond); err != nil {
		return err
	}
	for _, n := range chainLengths {
		if err := b.mesh.client.CreateDAG(ctx, chainDAG(n)); err != nil {
			return err
		}
	}
	for _, apart := range []bool{false, true} {
		for _, n := range chainLengths {
			if err := b.callDAG(ctx, chainCase(n, apart), chainDAG(n), apart); err != nil {
				return err
			}
		}
		if err := b.callDAG(ctx, "diamond of 4, "+togetherOrApart(apart), diamond, apart); err != nil {
			return err
		}
	}
	return nil
}

func (b *benchRun) callDAG(ctx context.Context, name string, d *mesh.DAG, apart bool) error {
	handle := b.mesh.client.DAG(d.Name)
	if apart {
		handle.Options.Place = b.mesh.apart(d)
	}
	args := sdk.Args{d.Stages[0].Name: {1}}
	return b.measure(ctx, name, 1, func(ctx context.Context, _ int) error {
		_, err := handle.Call(ctx, args)
		return err
	})
}

// apart places stages by turns on the two nodes that the client is not
// connected to: a chain that is longer by one stage has just one hop more.
func (m *benchMesh) apart(d *mesh.DAG) map[string]mesh.NodeID {
	place := map[string]mesh.NodeID{}
	for i, stage := range d.Stages {
		place[stage.Name] = m.ids[1+i%2]
	}
	return place
}

func chainDAG(stages int) *mesh.DAG {
	d := &mesh.DAG{Name: fmt.Sprintf("chain-%d", stages)}
	for i := range stages {
		d.Stages = append(d.Stages, mesh.Stage{Name: fmt.Sprintf("s%d", i), Func: benchFunc(nativeIncr)})
		if i > 0 {
			d.Edges = append(d.Edges, mesh.Edge{From: d.Stages[i-1].Name, To: d.Stages[i].Name})
		}
	}
	return d
}

func diamondDAG() *mesh.DAG {
	return &mesh.DAG{
		Name: "diamond",
		Stages: []mesh.Stage{
			{Name: "top", Func: benchFunc(nativeIncr)},
			{Name: "left", Func: benchFunc(nativeIncr)}, {Name: "right", Func: benchFunc(nativeIncr)},
			{Name: "bottom", Func: benchFunc(nativeSum)},
		},
		Edges: []mesh.Edge{{From: "top", To: "left"}, {From: "top", To: "right"}, {From: "left", To: "bottom"}, {From: "right", To: "bottom"}},
	}
}

func benchFunc(name string) mesh.FuncRef {
	return mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: name}
}
