package dht

import (
	"cmp"
	"slices"

	"github.com/virga-mesh/virga/mesh"
)

// Peer is a live node of the mesh, this one included.
type Peer struct {
	ID       mesh.NodeID
	Addrs    []string // where it takes connections, as host:port; read only
	Draining bool     // it is to own nothing
	Gone     bool     // it is back, and has not said so yet: what it holds may be out of date
}

// livePeer is a peer and the number of its connection, which tells a node
// that stayed from one that went and came back. It is 0 for this node.
type livePeer struct {
	Peer
	connection uint64
}

// view is an immutable snapshot of the live nodes, ordered by node id, and
// of who owns what among them and among all that are known.
type view struct {
	peers       []Peer
	connections []uint64 // of peers
	owners      *rankings
	knownOwners *rankings // the same as owners while nobody is missing
	digest      mesh.ID   // of the roster
	number      uint64    // of this view, since the start
	whole       bool      // nobody is missing who is to own something
}

// newView makes the snapshot of self and others, with the nodes missing that
// are to own something as well. It takes ownership of others.
func newView(self Peer, others []livePeer, missing []mesh.NodeID) *view {
	live := append(others, livePeer{Peer: self})
	slices.SortFunc(live, func(a, b livePeer) int { return cmp.Compare(a.ID, b.ID) })
	v := &view{whole: len(missing) == 0}
	var staying, all nodeSet
	for _, p := range live {
		v.peers = append(v.peers, p.Peer)
		v.connections = append(v.connections, p.connection)
		place := p.ID.ID()
		all.add(p.ID, place)
		if !p.Draining {
			staying.add(p.ID, place)
		}
	}
	v.owners = &rankings{self: self.ID, set: staying}
	if len(staying.nodes) == 0 {
		v.owners.set = all
	}
	v.knownOwners = v.owners
	if len(missing) > 0 {
		for _, id := range missing {
			staying.add(id, id.ID())
		}
		v.knownOwners = &rankings{self: self.ID, set: staying}
	}
	return v
}

// index finds a node in the view.
func (v *view) index(id mesh.NodeID) (int, bool) {
	return slices.BinarySearchFunc(v.peers, id, func(p Peer, id mesh.NodeID) int { return cmp.Compare(p.ID, id) })
}

// drains reports whether a node is live and to own nothing.
func (v *view) drains(id mesh.NodeID) bool {
	at, found := v.index(id)
	return found && v.peers[at].Draining
}
