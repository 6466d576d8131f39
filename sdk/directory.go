package sdk

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/link"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// directory is where the nodes of the mesh can be reached, as one of them
// told last. Its zero value is empty.
type directory struct {
	entries atomic.Pointer[[]entry]
}

type entry struct {
	id    mesh.NodeID
	addrs []string
}

// maxEntries bounds the directory: of a large mesh a client needs to know a part.
const maxEntries = 512

func (d *directory) all() []entry {
	if entries := d.entries.Load(); entries != nil {
		return *entries
	}
	return nil
}

func (d *directory) set(entries []entry) { d.entries.Store(&entries) }

// Addrs are those of a few nodes, for a client that is to dial any.
func (d *directory) Addrs() []string {
	const enough = 16
	var addrs []string
	for _, e := range d.all() {
		if len(addrs) < enough {
			addrs = append(addrs, e.addrs...)
		}
	}
	return addrs
}

// Find gives the addresses of a node, none if it is not known.
func (d *directory) Find(id mesh.NodeID) []string {
	for _, e := range d.all() {
		if e.id == id {
			return e.addrs
		}
	}
	return nil
}

const learnTimeout = time.Second

// learn asks a node where the others are. That it does not say is no error. A
// pinned client remembers only those at its addresses.
func (r *remote) learn(ctx context.Context, conn *link.Conn) {
	ctx, cancel := context.WithTimeout(ctx, learnTimeout)
	defer cancel()
	reply, err := conn.Call(ctx, &pb.Status{})
	status, ok := reply.(*pb.StatusReply)
	if err != nil || !ok {
		return
	}
	entries := []entry{{conn.Peer().ID, conn.PeerAddrs()}}
	for _, peer := range status.Peers {
		if peer.Live && len(entries) < maxEntries {
			entries = append(entries, entry{mesh.NodeID(peer.Node), peer.Addrs})
		}
	}
	if r.pinned {
		entries = slices.DeleteFunc(entries, func(e entry) bool {
			return len(without(e.addrs, r.configured)) == len(e.addrs)
		})
	}
	r.nodes.set(entries)
}
