package dht

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/virga-mesh/virga/mesh"
)

// nodeSet is a set of nodes and their places, to find those closest to a point.
type nodeSet struct {
	nodes []mesh.NodeID
	ids   []mesh.ID // of nodes
	heads []uint64  // the first 64 bits of ids, where nearly every comparison is decided
}

func (s *nodeSet) add(node mesh.NodeID, place mesh.ID) {
	s.nodes = append(s.nodes, node)
	s.ids = append(s.ids, place)
	s.heads = append(s.heads, head(place))
}

func head(id mesh.ID) uint64 { return binary.BigEndian.Uint64(id[:8]) }

// candidate is a node of the set and the head of its distance to a target.
type candidate struct {
	distance uint64
	index    int
}

// compare orders candidates by their distance to target.
func (s *nodeSet) compare(target mesh.ID, a, b candidate) int {
	if a.distance != b.distance {
		return cmp.Compare(a.distance, b.distance)
	}
	return mesh.CompareDistance(target, s.ids[a.index], s.ids[b.index])
}

// maxSelected is up to how many nodes are selected in one pass, without
// allocating; to find more, all are sorted.
const maxSelected = 16

// appendClosest appends the n nodes closest to target, the closest first.
func (s *nodeSet) appendClosest(dst []mesh.NodeID, target mesh.ID, n int) []mesh.NodeID {
	n = min(n, len(s.nodes))
	if n <= 0 {
		return dst
	}
	var selected [maxSelected]candidate
	closest := selected[:0]
	if n <= maxSelected {
		closest = s.selectClosest(closest, target, n)
	} else {
		closest = s.sortClosest(target)[:n]
	}
	for _, c := range closest {
		dst = append(dst, s.nodes[c.index])
	}
	return dst
}

// selectClosest fills closest, which has room for n, by insertion.
func (s *nodeSet) selectClosest(closest []candidate, target mesh.ID, n int) []candidate {
	at := head(target)
	for i, h := range s.heads {
		c := candidate{h ^ at, i}
		if len(closest) == n {
			if c.distance > closest[n-1].distance || s.compare(target, c, closest[n-1]) > 0 {
				continue
			}
			closest = closest[:n-1]
		}
		closest = append(closest, c)
		for j := len(closest) - 1; j > 0 && s.compare(target, c, closest[j-1]) < 0; j-- {
			closest[j-1], closest[j] = c, closest[j-1]
		}
	}
	return closest
}

func (s *nodeSet) sortClosest(target mesh.ID) []candidate {
	at := head(target)
	all := make([]candidate, len(s.heads))
	for i, h := range s.heads {
		all[i] = candidate{h ^ at, i}
	}
	slices.SortFunc(all, func(a, b candidate) int { return s.compare(target, a, b) })
	return all
}
