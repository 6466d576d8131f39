package dht

import (
	"math/bits"
	"slices"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// Bounds of the cache of look-ups.
const (
	maxRegions = 1024
	lookupTTL  = 5 * time.Second
)

// region is a subtree of the Kademlia space: the ids that share a prefix.
type region struct {
	bits   int
	prefix mesh.ID // zero after bits
}

func regionOf(id mesh.ID, bits int) region {
	r := region{bits: bits}
	copy(r.prefix[:], id[:bits/8])
	if rest := bits % 8; rest > 0 {
		r.prefix[bits/8] = id[bits/8] &^ (0xff >> rest)
	}
	return r
}

// commonBits counts the bits of the prefix that a and b share.
func commonBits(a, b mesh.ID) int {
	for i := range a {
		if x := a[i] ^ b[i]; x != 0 {
			return 8*i + bits.LeadingZeros8(x)
		}
	}
	return 8 * len(a)
}

// lookupCache keeps what look-ups found, by the region that they know whole:
// of a complete list of the nodes closest to an id, all that lie in a deeper
// subtree than the farthest one are known without a gap.
type lookupCache struct {
	lock    sync.Mutex
	regions map[region]found
	depth   int // of the deepest region
}

type found struct {
	nodes []mesh.NodeID
	until time.Time
}

// get gives the n nodes closest to id, if a region that holds id and at least n nodes is known.
func (c *lookupCache) get(id mesh.ID, n int, now time.Time) ([]mesh.NodeID, bool) {
	c.lock.Lock()
	defer c.lock.Unlock()
	for depth := c.depth; depth >= 0; depth-- {
		f, ok := c.regions[regionOf(id, depth)]
		if !ok || now.After(f.until) || depth > 0 && len(f.nodes) < n {
			continue
		}
		nodes := slices.Clone(f.nodes)
		sortByDistance(nodes, id)
		return nodes[:min(n, len(nodes))], true
	}
	return nil, false
}

// put keeps closest, the nodes closest to id in order. When whole, they are all there are.
func (c *lookupCache) put(id mesh.ID, closest []mesh.NodeID, whole bool, now time.Time) {
	if len(closest) == 0 {
		return
	}
	depth := 0
	if !whole {
		farthest := closest[len(closest)-1].ID()
		depth = commonBits(id, farthest) + 1
		closest = slices.DeleteFunc(slices.Clone(closest), func(n mesh.NodeID) bool {
			return commonBits(id, n.ID()) < depth
		})
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.regions == nil || len(c.regions) >= maxRegions {
		c.regions, c.depth = map[region]found{}, 0
	}
	c.regions[regionOf(id, depth)] = found{closest, now.Add(lookupTTL)}
	c.depth = max(c.depth, depth)
}

// clear forgets all: a node came or went.
func (c *lookupCache) clear() {
	c.lock.Lock()
	defer c.lock.Unlock()
	clear(c.regions)
	c.depth = 0
}

func sortByDistance(nodes []mesh.NodeID, target mesh.ID) {
	ids := make(map[mesh.NodeID]mesh.ID, len(nodes))
	for _, n := range nodes {
		ids[n] = n.ID()
	}
	slices.SortFunc(nodes, func(a, b mesh.NodeID) int { return mesh.CompareDistance(target, ids[a], ids[b]) })
}
