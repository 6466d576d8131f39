package main

import (
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
	ask := expecting(t, &pb.ListFuncs{Namespace: "default"}, &pb.ListFuncsReply{Functions: []*pb.FuncInfo{
		info("a", mesh.Wasm), info("b", mesh.Worker, host), info("c", mesh.Worker),
	}})
	want := "NAME  KIND    VERSION       RUNS ON\n" +
		"a     wasm    0123456789ab  any node\n" +
		"b     worker  0123456789ab  " + host.String() + "\n" +
		"c     worker  0123456789ab  no node now\n"
	if got := virga(t, ask, "", "fn", "list"); got.stdout != want {
		t.Errorf("printed %q %q, want %q", got.stdout, got.stderr, want)
	}
}
