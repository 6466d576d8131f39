package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func TestANodeIsNamedInManyWays(t *testing.T) {
	id := away.String()
	for _, name := range []string{id, id[len(id)-10:], away.Short(), "10.0.0.3:7"} {
		got := virga(t, withMembers(expecting(t, &pb.Forget{Node: []byte(away)}, &pb.Done{})), "", "node", "forget", name)
		if got.err != nil || got.stdout != "node "+id+" is forgotten\n" {
			t.Errorf("%s: printed %q, %v", name, got.stdout, got.err)
		}
	}
	for _, name := range []string{"nobody", id[len(id)-7:]} {
		if got := virga(t, withMembers(unasked(t)), "", "node", "forget", name); got.code != 3 || !strings.Contains(got.stderr, "virga node list") {
			t.Errorf("%q: code %d, %q", name, got.code, got.stderr)
		}
	}
	if got := virga(t, withMembers(unasked(t)), "", "node", "forget", ""); got.code != 2 || !strings.Contains(got.stderr, "expected an id") {
		t.Errorf("no name: code %d, %q", got.code, got.stderr)
	}
}

// withPeers is the status of the node here, which knows nodes of these ids.
func withPeers(t *testing.T, ids ...string) *pb.StatusReply {
	t.Helper()
	status := &pb.StatusReply{Node: []byte(here), Addrs: []string{"10.0.0.1:7"}}
	for _, text := range ids {
		id, err := mesh.ParseNodeID(text)
		if err != nil {
			t.Fatal(err)
		}
		status.Peers = append(status.Peers, &pb.PeerStatus{Node: []byte(id)})
	}
	return status
}

func TestTheEndOfTwoIDsNamesNoNode(t *testing.T) {
	ids := []string{"FirstEndsAsEns", "SecondEndsAsEns"}
	members := withPeers(t, ids...)
	got := virga(t, func(wire.Message) (wire.Message, error) { return members, nil }, "", "node", "forget", "EndsAsEns")
	if want := strings.Join(ids, " or "); got.code != 2 || !strings.Contains(got.stderr, want) {
		t.Errorf("code %d, %q, which does not tell %q", got.code, got.stderr, want)
	}
}

// TestALocalNameStandsForThatNodeOnly has ids that end in such names: one that
// a node has which is not known, and one that no node has any more.
func TestALocalNameStandsForThatNodeOnly(t *testing.T) {
	home := t.TempDir()
	for name, addr := range map[string]string{"n1": "10.0.0.1:7", "n22222222": "10.0.0.2:7"} {
		dir := filepath.Join(home, "nodes", name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "virgad.yaml"), []byte("listen: ["+addr+"]\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	members := withPeers(t, "TheFirstn1", "TheSecondn2", "TheThirdn22222222")
	for name, want := range map[string]int{"n1": 0, "n2": 3, "n22222222": 3} {
		got := virga(t, func(req wire.Message) (wire.Message, error) {
			switch m := req.(type) {
			case *pb.Status:
				return members, nil
			case *pb.Forget:
				if mesh.NodeID(m.Node) != here {
					t.Errorf("%s: node %s is forgotten", name, mesh.NodeID(m.Node))
				}
			}
			return &pb.Done{}, nil
		}, "", "--home", home, "node", "forget", name)
		if got.code != want {
			t.Errorf("%s: code %d, expected %d; %s", name, got.code, want, got.stderr)
		}
	}
}
