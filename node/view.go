package node

import (
	"github.com/virga-mesh/virga/dht"
	"github.com/virga-mesh/virga/mesh"
)

// viewChanged tells the rooms that a node came or went.
func (r *rooms) viewChanged(e dht.Event) {
	r.catalog.ForgetAll() // announcements may have passed by
	r.triggerNotes.ViewChanged()
	if e.Up {
		r.replica.PeerUp(e.Peer.ID)
		return
	}
	r.replica.ViewChanged()
	r.cache.Drop(e.Peer.ID)
	r.published.Forget(e.Peer.ID)
	r.workloads.forget(e.Peer.ID)
	r.sent.told(e.Peer.ID)
	r.runs.PeerDown(e.Peer.ID)
	r.sessions.PeerDown(e.Peer.ID)
}

// liveNodes are the ids of a view.
type liveNodes struct {
	view    []dht.Peer
	ids     []mesh.NodeID
	staying []mesh.NodeID // those that do not drain; all when all do
	present []mesh.NodeID // those that are not taken for gone
}

// live lists the live nodes, this one included, as the view has them now. It
// must not be changed.
func (r *rooms) live() []mesh.NodeID { return r.liveNodes().ids }

// staying lists the live nodes that take new work. It must not be changed.
func (r *rooms) staying() []mesh.NodeID { return r.liveNodes().staying }

// present lists the live nodes whose state counts: without those that are
// back after they were taken for gone, until they have said so. It must not be changed.
func (r *rooms) present() []mesh.NodeID { return r.liveNodes().present }

func (r *rooms) liveNodes() *liveNodes {
	view := r.dht.View()
	if known := r.nodes.Load(); known != nil && &known.view[0] == &view[0] {
		return known
	}
	nodes := &liveNodes{view: view}
	for _, peer := range view {
		nodes.ids = append(nodes.ids, peer.ID)
		if !peer.Gone {
			nodes.present = append(nodes.present, peer.ID)
		}
		if !peer.Draining {
			nodes.staying = append(nodes.staying, peer.ID)
		}
	}
	if len(nodes.staying) == 0 {
		nodes.staying = nodes.ids
	}
	r.nodes.Store(nodes)
	return nodes
}
