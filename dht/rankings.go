package dht

import (
	"math"
	"slices"
	"sync/atomic"

	"github.com/virga-mesh/virga/mesh"
)

// rankings tells which nodes of a set are closest to each partition. What was
// asked for once is remembered, so that an answer costs a load and a view
// that changes often costs little.
type rankings struct {
	set     nodeSet
	self    mesh.NodeID
	closest [mesh.Partitions]atomic.Pointer[ranking]
}

// ranking is the nodes closest to a partition, at most maxSelected, and this
// node's place among them.
type ranking struct {
	nodes []mesh.NodeID
	self  int // math.MaxInt when it is not among them
}

func (r *rankings) of(p mesh.Partition) *ranking {
	p %= mesh.Partitions
	if known := r.closest[p].Load(); known != nil {
		return known
	}
	nodes := r.set.appendClosest(make([]mesh.NodeID, 0, min(maxSelected, len(r.set.nodes))), p.ID(), maxSelected)
	made := &ranking{nodes: nodes, self: slices.Index(nodes, r.self)}
	if made.self < 0 {
		made.self = math.MaxInt
	}
	r.closest[p].Store(made)
	return made
}

// first gives the n nodes closest to a partition, all when there are fewer.
// The slice is shared and has no room to append to.
func (r *rankings) first(p mesh.Partition, n int) []mesh.NodeID {
	if n > maxSelected {
		return r.set.appendClosest(nil, p.ID(), n)
	}
	nodes := r.of(p).nodes
	n = max(0, min(n, len(nodes)))
	return nodes[:n:n]
}

// selfAmong reports whether this node is among the n closest to a partition.
func (r *rankings) selfAmong(p mesh.Partition, n int) bool {
	if n > maxSelected {
		return slices.Contains(r.first(p, n), r.self)
	}
	return r.of(p).self < n
}
