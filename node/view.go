package node

import (
	"github.com/virga-mesh/virga/dht"
	"github.com/virga-mesh/virga/mesh"
)

// viewChanged tells the rooms that a node came or went.
func (r *rooms) viewChanged(e dht.Event) {
	r.catalog.ForgetAll() // announcements may have passed by
	if e.Up {
		r.replica.PeerUp(e.Peer.ID)
		return
	}
	r.replica.ViewChanged()
	r.cache.Drop(e.Peer.ID)
	r.published.Forget(e.Peer.ID)
	r.runs.PeerDown(e.Peer.ID)
}

// liveNodes are the ids of a view.
type liveNodes struct {
	view []dht.Peer
	ids  []mesh.NodeID
}

// live lists the live nodes, this one included, as the view has them now. It
// must not be changed.
func (r *rooms) live() []mesh.NodeID {
	view := r.dht.View()
	if known := r.nodes.Load(); known != nil && &known.view[0] == &view[0] {
		return known.ids
	}
	ids := make([]mesh.NodeID, len(view))
	for i, peer := range view {
		ids[i] = peer.ID
	}
	r.nodes.Store(&liveNodes{view: view, ids: ids})
	return ids
}
