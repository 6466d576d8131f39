package run

import (
	"context"
	"fmt"
	"testing"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// alone is a node without peers, whose executor hands back its first argument.
type alone struct {
	dags map[string]*mesh.DAG
}

func (alone) Function(_ context.Context, ref mesh.FuncRef) (mesh.FuncInfo, error) {
	ref.Version = "v1"
	return mesh.FuncInfo{Ref: ref, Kind: mesh.Wasm}, nil
}

func (a alone) DAG(_ context.Context, _, name string) (*mesh.DAG, error) { return a.dags[name], nil }

func (alone) Invoke(_ context.Context, v Invocation) (mesh.Value, error) { return v.Args[0], nil }

func (alone) Place(q PlaceRequest) ([]Placement, error) {
	places := make([]Placement, len(q.Stages))
	for i := range places {
		if places[i].Node = q.Pins[q.Stages[i].Name]; places[i].Node == "" {
			places[i].Node = "n1"
		}
	}
	return places, nil
}

func benchmarkCall(b *testing.B, q Request, dags map[string]*mesh.DAG) {
	node := alone{dags}
	r := New(Config{Self: "n1", Catalog: node, Executor: node, Placer: node})
	defer r.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Call(b.Context(), q); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCallHere(b *testing.B) {
	benchmarkCall(b, callOf("f", "1"), nil)
}

// benchmarkWired calls one of two nodes, with encoding and without a network.
func benchmarkWired(b *testing.B, q Request, dags map[string]*mesh.DAG) {
	here, there := &wired{alone: alone{dags}}, &wired{alone: alone{dags}}
	here.runs = New(Config{Self: "n0", Catalog: here, Executor: here, Placer: here, Peers: there})
	there.runs = New(Config{Self: "n1", Catalog: there, Executor: there, Placer: there, Peers: here})
	here.peer, there.peer = "n1", "n0"
	defer here.runs.Close()
	defer there.runs.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := here.runs.Call(b.Context(), q); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCallElsewhere is what a hop and its result cost the two nodes.
func BenchmarkCallElsewhere(b *testing.B) { benchmarkWired(b, callOf("f", "1"), nil) }

// BenchmarkChainApart has each stage of a chain on another node than the one
// before: what 16 stages take more than 2 are 14 hops.
func BenchmarkChainApart(b *testing.B) {
	for _, n := range []int{2, 16} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			q, dags := chainCall(n)
			q.Place = map[string]mesh.NodeID{}
			for i := range n {
				q.Place[fmt.Sprintf("s%d", i)] = mesh.NodeID(fmt.Sprintf("n%d", (i+1)%2))
			}
			benchmarkWired(b, q, dags)
		})
	}
}

// wired is a node that takes a peer's messages by function call.
type wired struct {
	alone
	runs *Runs
	peer mesh.NodeID
}

func (w *wired) Send(_ context.Context, _ mesh.NodeID, m wire.Message) error {
	frame, err := wire.AppendFrame(nil, wire.Header{Flags: wire.OneWay}, m)
	if err != nil {
		return err
	}
	m, err = wire.ParseBody(wire.TypeOf(m), frame[wire.HeaderSize:])
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case *pb.Hop:
		return w.runs.HandleHop(w.peer, m)
	case *pb.EndRuns:
		return w.runs.HandleEndRuns(w.peer, m)
	}
	return w.runs.HandleSinkResult(w.peer, m.(*pb.SinkResult))
}

func (w *wired) CallUnlessSilent(ctx context.Context, to mesh.NodeID, m wire.Message) (wire.Message, bool, error) {
	reply, err := w.Call(ctx, to, m)
	return reply, false, err
}

func (w *wired) Call(context.Context, mesh.NodeID, wire.Message) (wire.Message, error) {
	return nil, mesh.Errorf(mesh.Invalid, "call", "only one-way messages are wired")
}

func BenchmarkChainHere(b *testing.B) {
	for _, n := range []int{1, 2, 4, 8, 16} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			q, dags := chainCall(n)
			benchmarkCall(b, q, dags)
		})
	}
}

// chainCall calls a DAG of so many stages, one after the other.
func chainCall(n int) (Request, map[string]*mesh.DAG) {
	var stages, edges []string
	for i := range n {
		stages = append(stages, fmt.Sprintf("s%d", i))
		if i > 0 {
			edges = append(edges, stages[i-1]+":"+stages[i])
		}
	}
	return dagCall("d", map[string][]Arg{"s0": argsOf("1")}), map[string]*mesh.DAG{"d": dagOf(stages, edges)}
}
