package dht

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/virga-mesh/virga/mesh"
)

// Peer is a live node of the mesh, this one included.
type Peer struct {
	ID    mesh.NodeID
	Addrs []string // where it takes connections, as host:port; read only
}

// livePeer is a peer and the number of its connection, which tells a node
// that stayed from one that went and came back. It is 0 for this node.
type livePeer struct {
	Peer
	connection uint64
}

// view is an immutable snapshot of the live nodes, ordered by node id.
type view struct {
	selfID      mesh.ID
	peers       []Peer
	connections []uint64  // of peers
	ids         []mesh.ID // of peers
	heads       []uint64  // the first 64 bits of ids, where nearly every comparison is decided
	digest      mesh.ID   // the XOR of ids: equal for equal sets of nodes
}

// newView makes the snapshot of self and others. It takes ownership of others.
func newView(self Peer, others []livePeer) *view {
	live := append(others, livePeer{Peer: self})
	slices.SortFunc(live, func(a, b livePeer) int { return cmp.Compare(a.ID, b.ID) })
	v := &view{selfID: self.ID.ID()}
	for _, p := range live {
		id := p.ID.ID()
		v.peers = append(v.peers, p.Peer)
		v.connections = append(v.connections, p.connection)
		v.ids = append(v.ids, id)
		v.heads = append(v.heads, head(id))
		for i := range v.digest {
			v.digest[i] ^= id[i]
		}
	}
	return v
}

func head(id mesh.ID) uint64 { return binary.BigEndian.Uint64(id[:8]) }

// index finds a node in the view.
func (v *view) index(id mesh.NodeID) (int, bool) {
	return slices.BinarySearchFunc(v.peers, id, func(p Peer, id mesh.NodeID) int { return cmp.Compare(p.ID, id) })
}

// candidate is a node of the view and the head of its distance to a target.
type candidate struct {
	distance uint64
	index    int
}

// compare orders candidates by their distance to target.
func (v *view) compare(target mesh.ID, a, b candidate) int {
	if a.distance != b.distance {
		return cmp.Compare(a.distance, b.distance)
	}
	return mesh.CompareDistance(target, v.ids[a.index], v.ids[b.index])
}

// maxSelected is up to how many nodes are selected in one pass, without
// allocating; to find more, all are sorted.
const maxSelected = 16

// appendClosest appends the n nodes closest to target, the closest first.
func (v *view) appendClosest(dst []mesh.NodeID, target mesh.ID, n int) []mesh.NodeID {
	n = min(n, len(v.peers))
	if n <= 0 {
		return dst
	}
	var selected [maxSelected]candidate
	closest := selected[:0]
	if n <= maxSelected {
		closest = v.selectClosest(closest, target, n)
	} else {
		closest = v.sortClosest(target)[:n]
	}
	for _, c := range closest {
		dst = append(dst, v.peers[c.index].ID)
	}
	return dst
}

// selectClosest fills closest, which has room for n, by insertion.
func (v *view) selectClosest(closest []candidate, target mesh.ID, n int) []candidate {
	at := head(target)
	for i, h := range v.heads {
		c := candidate{h ^ at, i}
		if len(closest) == n {
			if c.distance > closest[n-1].distance || v.compare(target, c, closest[n-1]) > 0 {
				continue
			}
			closest = closest[:n-1]
		}
		closest = append(closest, c)
		for j := len(closest) - 1; j > 0 && v.compare(target, c, closest[j-1]) < 0; j-- {
			closest[j-1], closest[j] = c, closest[j-1]
		}
	}
	return closest
}

func (v *view) sortClosest(target mesh.ID) []candidate {
	at := head(target)
	all := make([]candidate, len(v.heads))
	for i, h := range v.heads {
		all[i] = candidate{h ^ at, i}
	}
	slices.SortFunc(all, func(a, b candidate) int { return v.compare(target, a, b) })
	return all
}

// owns reports whether fewer than n nodes are closer to target than this one.
func (v *view) owns(target mesh.ID, n int) bool {
	for _, id := range v.ids {
		if n <= 0 {
			return false
		}
		if mesh.CompareDistance(target, id, v.selfID) < 0 {
			n--
		}
	}
	return n > 0
}
