package main

import (
	"strings"
	"testing"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func TestFnListTellsWhereFunctionsRun(t *testing.T) {
	host := mesh.NodeID("a host")
	info := func(name string, kind mesh.FuncKind, hosts ...mesh.NodeID) *pb.FuncInfo {
		ref := mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: name, Version: "0123456789abcdef"}
		return wire.FromFuncInfo(mesh.FuncInfo{Ref: ref, Kind: kind, Hosts: hosts})
	}
	used := info("a", mesh.Wasm).Ref
	ask := answer(func(req wire.Message) (wire.Message, error) {
		if _, ok := req.(*pb.Usage); ok {
			return &pb.UsageReply{Functions: []*pb.FuncUsage{{
				Ref: used, Pinned: 2, Nodes: [][]byte{[]byte("n1"), []byte("n2")},
				Uses: []*pb.FuncUse{{Warm: 3, MilliRate: 1500, MeanUs: 2000}, {Warm: 1}},
			}}}, nil
		}
		return &pb.ListFuncsReply{Functions: []*pb.FuncInfo{info("a", mesh.Wasm), info("b", mesh.Worker, host), info("c", mesh.Worker)}}, nil
	})
	got := virga(t, ask, "", "fn", "list")
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	want := []string{
		"NAME KIND VERSION RUNS ON WARM CALLS/S MEAN",
		"a wasm 0123456789ab any node 4 on 2, pinned 2 1.5 2ms",
		"b worker 0123456789ab " + host.String() + " - 0.0 -",
		"c worker 0123456789ab no node now - 0.0 -",
	}
	if len(lines) != len(want) {
		t.Fatalf("printed %q %q", got.stdout, got.stderr)
	}
	for i, line := range lines {
		if strings.Join(strings.Fields(line), " ") != want[i] {
			t.Errorf("printed %q, want %q", line, want[i])
		}
	}
}

func TestFnPinAsksForNodes(t *testing.T) {
	ref := &pb.FuncRef{Namespace: "default", Name: "f"}
	if got := virga(t, expecting(t, &pb.PinFunc{Ref: ref, Nodes: 3}, &pb.Done{}), "", "fn", "pin", "f", "--nodes", "3"); got.err != nil {
		t.Error(got.err)
	}
	if got := virga(t, expecting(t, &pb.PinFunc{Ref: ref}, &pb.Done{}), "", "fn", "unpin", "f"); got.err != nil {
		t.Error(got.err)
	}
	if got := virga(t, unasked(t), "", "fn", "pin", "f", "--nodes", "0"); got.code != 2 || !strings.Contains(got.stderr, "unpin") {
		t.Errorf("no node: code %d, %q", got.code, got.stderr)
	}
}
