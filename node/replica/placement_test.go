package replica

import (
	"slices"

	"github.com/virga-mesh/virga/mesh"
)

// Owns is Placement's.
func (n *testNode) Owns(key mesh.Key, count int) bool {
	return slices.Contains(n.Owners(key, count), n.id)
}

// Owners is Placement's.
func (n *testNode) Owners(key mesh.Key, count int) []mesh.NodeID {
	return closest(n.Live(), key.Partition(), count)
}

// PartitionOwners is Placement's.
func (n *testNode) PartitionOwners(p mesh.Partition, count int) []mesh.NodeID {
	return closest(n.Live(), p, count)
}

// KnownOwners is Placement's.
func (n *testNode) KnownOwners(p mesh.Partition, count int) []mesh.NodeID {
	return closest(n.Members(), p, count)
}

// Members is Placement's.
func (n *testNode) Members() []mesh.NodeID {
	n.mesh.mu.Lock()
	defer n.mesh.mu.Unlock()
	var known []mesh.NodeID
	for _, other := range n.mesh.nodes {
		if other.seen || !other.forgotten {
			known = append(known, other.id)
		}
	}
	return known
}

// closest sorts nodes by their distance to a partition and gives the first.
func closest(nodes []mesh.NodeID, p mesh.Partition, count int) []mesh.NodeID {
	slices.SortFunc(nodes, func(a, b mesh.NodeID) int { return mesh.CompareDistance(p.ID(), a.ID(), b.ID()) })
	return nodes[:min(count, len(nodes))]
}

// Live is Placement's.
func (n *testNode) Live() []mesh.NodeID {
	n.mesh.mu.Lock()
	defer n.mesh.mu.Unlock()
	var live []mesh.NodeID
	for _, other := range n.mesh.nodes {
		if other.seen || other == n {
			live = append(live, other.id)
		}
	}
	return live
}
