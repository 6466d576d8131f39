package dht

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/virga-mesh/virga/mesh"
)

// viewOf makes a view of n nodes with random ids. The first is this one.
func viewOf(chance *rand.Rand, n int) *view {
	var peers []livePeer
	for i := range n {
		peers = append(peers, livePeer{Peer: Peer{ID: randomNode(chance)}, connection: uint64(i)})
	}
	return newView(peers[0].Peer, peers[1:], nil)
}

func nodesOf(v *view) []mesh.NodeID {
	var nodes []mesh.NodeID
	for _, p := range v.peers {
		nodes = append(nodes, p.ID)
	}
	return nodes
}

func TestIndexFindsMembersOnly(t *testing.T) {
	chance := seeded(t)
	v := viewOf(chance, 10)
	for i, p := range v.peers {
		if at, found := v.index(p.ID); !found || at != i {
			t.Errorf("index of member %d: %d, %v", i, at, found)
		}
	}
	if _, found := v.index(viewOf(chance, 1).peers[0].ID); found {
		t.Error("a stranger is in the view")
	}
}

func TestWhoDrainsOwnsNothingUnlessAllDo(t *testing.T) {
	stays, drains := Peer{ID: bob}, livePeer{Peer: Peer{ID: carol, Draining: true}}
	sorted := func(nodes []mesh.NodeID) []mesh.NodeID { return slices.Sorted(slices.Values(nodes)) }
	for _, test := range []struct {
		name          string
		self          Peer
		missing       []mesh.NodeID
		owners, known []mesh.NodeID
	}{
		{"another stays", stays, nil, []mesh.NodeID{bob}, []mesh.NodeID{bob}},
		{"another stays and one is missing", stays, []mesh.NodeID{"dave"}, []mesh.NodeID{bob}, []mesh.NodeID{bob, "dave"}},
		{"all drain", Peer{ID: bob, Draining: true}, nil, []mesh.NodeID{bob, carol}, []mesh.NodeID{bob, carol}},
		{"all that live drain", Peer{ID: bob, Draining: true}, []mesh.NodeID{"dave"}, []mesh.NodeID{bob, carol}, []mesh.NodeID{"dave"}},
	} {
		v := newView(test.self, []livePeer{drains}, test.missing)
		if got := sorted(v.owners.first(0, 3)); !slices.Equal(got, test.owners) {
			t.Errorf("%s: owners are %v, want %v", test.name, got, test.owners)
		}
		if got := sorted(v.knownOwners.first(0, 3)); !slices.Equal(got, test.known) {
			t.Errorf("%s: known owners are %v, want %v", test.name, got, test.known)
		}
		if len(v.peers) != 2 || !v.drains(carol) {
			t.Errorf("%s: who drains is not in the view as such: %v", test.name, v.peers)
		}
	}
}
