package dht

import (
	"slices"
	"testing"

	"github.com/virga-mesh/virga/mesh"
)

func TestDifferenceTellsWhoWentThenWhoCame(t *testing.T) {
	peer := func(id mesh.NodeID, connection uint64) livePeer { return livePeer{Peer{ID: id}, connection} }
	from := newView(Peer{ID: alice}, []livePeer{peer(bob, 1), peer(carol, 2)}, nil)
	tests := []struct {
		name string
		to   []livePeer
		want []Event
	}{
		{"nothing", []livePeer{peer(carol, 2), peer(bob, 1)}, nil},
		{"one went", []livePeer{peer(carol, 2)}, []Event{{false, Peer{ID: bob}}}},
		{"one came", []livePeer{peer(bob, 1), peer(carol, 2), peer("dave", 3)}, []Event{{true, Peer{ID: "dave"}}}},
		{"one was connected anew", []livePeer{peer(bob, 4), peer(carol, 2)}, []Event{{false, Peer{ID: bob}}, {true, Peer{ID: bob}}}},
	}
	for _, test := range tests {
		got := difference(from, newView(Peer{ID: alice}, test.to, nil))
		if !slices.EqualFunc(got, test.want, func(a, b Event) bool { return a.Up == b.Up && a.Peer.ID == b.Peer.ID }) {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}
