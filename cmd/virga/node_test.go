package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

const (
	here  = mesh.NodeID("node here")
	there = mesh.NodeID("node there")
	away  = mesh.NodeID("node away")
)

// members is the status of a node that sees one node drain and misses another.
func members() *pb.StatusReply {
	return &pb.StatusReply{Node: []byte(here), Addrs: []string{"10.0.0.1:7"}, Ready: true, Peers: []*pb.PeerStatus{
		{Node: []byte(there), Addrs: []string{"10.0.0.2:7"}, Live: true, Draining: true, RoundTripUs: 1500},
		{Node: []byte(away), Addrs: []string{"10.0.0.3:7"}, MissingUnixMs: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixMilli()},
	}}
}

// withMembers answers Status, and gives every other request to next.
func withMembers(next answer) answer {
	return func(req wire.Message) (wire.Message, error) {
		if _, ok := req.(*pb.Status); ok {
			return members(), nil
		}
		return next(req)
	}
}

func TestNodeListTellsTheState(t *testing.T) {
	got := virga(t, withMembers(unasked(t)), "", "node", "list")
	want := [][]string{
		{here.String(), "10.0.0.1:7", "live", "-"},
		{there.String(), "10.0.0.2:7", "draining", "1.5ms"},
		{away.String(), "10.0.0.3:7", "missing since 2026-01-02T03:04:05Z", "-"},
	}
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	if len(lines) != 4 {
		t.Fatalf("printed\n%s", got.stdout)
	}
	for i, row := range want {
		for _, column := range row {
			if !strings.Contains(lines[i+1], column) {
				t.Errorf("line %q lacks %q", lines[i+1], column)
			}
		}
	}
	got = virga(t, withMembers(unasked(t)), "", "node", "list", "-o", "json")
	var list nodeList
	if err := json.Unmarshal([]byte(got.stdout), &list); err != nil || len(list.Nodes) != 3 || list.Nodes[2].State != "missing" || list.Nodes[2].MissingSince == "" || !list.Nodes[0].Self {
		t.Errorf("as JSON: %+v, %v", list, err)
	}
}

func TestADrainTellsItsProgress(t *testing.T) {
	left := []uint64{12, 12, 3, 0}
	got := virga(t, func(req wire.Message) (wire.Message, error) {
		if _, ok := req.(*pb.Status); ok {
			reply := members()
			if len(left) == 0 {
				reply.Peers = reply.Peers[1:]
			}
			return reply, nil
		}
		if m, ok := req.(*pb.Drain); !ok || mesh.NodeID(m.Node) != there || m.Cancel {
			t.Errorf("the mesh was asked %v", req)
		}
		reply := &pb.DrainReply{PartitionsLeft: left[0], Done: len(left) == 1}
		left = left[1:]
		return reply, nil
	}, "", "node", "drain", "10.0.0.2:7")
	if got.code != 0 || got.stderr != "12 partitions left\n3 partitions left\n" || !strings.Contains(got.stdout, there.String()) {
		t.Errorf("printed %q and %q, code %d", got.stdout, got.stderr, got.code)
	}
}

// The node may stop before its last answer arrives: then another one tells.
func TestANodeThatStoppedAndIsForgottenHasDrained(t *testing.T) {
	for _, forgotten := range []bool{true, false} {
		asked := 0
		got := virga(t, func(req wire.Message) (wire.Message, error) {
			if _, ok := req.(*pb.Status); ok {
				reply := members()
				if asked > 0 && forgotten {
					reply.Peers = reply.Peers[1:]
				}
				return reply, nil
			}
			if asked++; asked > 1 {
				return nil, mesh.Errorf(mesh.Unavailable, "reach node", "the connection ended")
			}
			return &pb.DrainReply{PartitionsLeft: 1}, nil
		}, "", "node", "drain", there.String())
		if want := map[bool]int{true: 0, false: 7}[forgotten]; got.code != want {
			t.Errorf("forgotten %v: code %d, expected %d; %s", forgotten, got.code, want, got.stderr)
		}
	}
}

func TestADrainIsWaitedForUntilTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := virga(t, withMembers(func(wire.Message) (wire.Message, error) {
			time.Sleep(time.Millisecond) // virtual, as a node does that is not done
			return &pb.DrainReply{PartitionsLeft: 5}, nil
		}), "", "node", "drain", there.String(), "--timeout", "20ms")
		if got.code != 8 || !strings.Contains(got.stderr, "5 partitions left") || !strings.Contains(got.stderr, "--cancel") {
			t.Errorf("code %d, %q", got.code, got.stderr)
		}
	})
}

func TestADrainIsTakenBack(t *testing.T) {
	got := virga(t, withMembers(expecting(t, &pb.Drain{Node: []byte(there), Cancel: true}, &pb.Done{})), "", "node", "drain", there.String(), "--cancel")
	if got.code != 0 || !strings.Contains(got.stdout, "stays") {
		t.Errorf("printed %q, code %d", got.stdout, got.code)
	}
}

func TestNodesAreAddedToAndRemovedFromALocalMeshOnly(t *testing.T) {
	for _, args := range [][]string{{"node", "add"}, {"node", "remove", "n1"}} {
		if _, err := at(t, t.TempDir(), "", args...); !errors.Is(err, mesh.NotFound) {
			t.Errorf("%v: %v, want NotFound", args, err)
		}
	}
}
