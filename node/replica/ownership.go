package replica

import (
	"slices"

	"github.com/virga-mesh/virga/mesh"
)

// ownership is who lives and who owns what, at one moment.
type ownership struct {
	live   []mesh.NodeID // this node included
	owners [mesh.Partitions][]mesh.NodeID
	sets   map[mesh.NodeID]partitionSet
}

// newOwnership works out who owns what; owners gives the owners of a partition.
func newOwnership(live []mesh.NodeID, owners func(mesh.Partition) []mesh.NodeID) *ownership {
	o := &ownership{live: live, sets: make(map[mesh.NodeID]partitionSet, len(live))}
	sets := make(map[mesh.NodeID]*partitionSet, len(live))
	for p := range mesh.Partition(mesh.Partitions) {
		o.owners[p] = owners(p)
		for _, id := range o.owners[p] {
			if sets[id] == nil {
				sets[id] = &partitionSet{}
			}
			sets[id].add(p)
		}
	}
	for id, set := range sets {
		o.sets[id] = *set
	}
	return o
}

// of is what a node owns.
func (o *ownership) of(id mesh.NodeID) partitionSet { return o.sets[id] }

func (o *ownership) lives(id mesh.NodeID) bool { return slices.Contains(o.live, id) }
