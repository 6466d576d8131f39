package cache

import (
	"cmp"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// MaxHoldings is how many keys a cache publishes: the largest that it holds.
const MaxHoldings = 1024

// Holdings lists the largest keys that the cache holds now, up to
// MaxHoldings, for those who decide where a function finds its data. A key is
// told by the first 64 bits of its id, in whose order they are.
func (c *Cache) Holdings() *pb.Holdings {
	type held struct {
		id    uint64
		bytes int64
	}
	var all []held
	now := time.Now()
	c.cells.Each(func(key mesh.Key, bytes int64, s subscription) bool {
		if now.Before(s.end) {
			all = append(all, held{idOf(key), bytes})
		}
		return true
	})
	if len(all) > MaxHoldings {
		slices.SortFunc(all, func(a, b held) int { return cmp.Or(cmp.Compare(b.bytes, a.bytes), cmp.Compare(a.id, b.id)) })
		all = all[:MaxHoldings]
	}
	slices.SortFunc(all, func(a, b held) int { return cmp.Compare(a.id, b.id) })
	m := &pb.Holdings{}
	for _, h := range all {
		m.Keys = append(m.Keys, h.id)
		m.Bytes = append(m.Bytes, uint64(h.bytes))
	}
	return m
}

func idOf(key mesh.Key) uint64 {
	id := key.ID()
	return binary.BigEndian.Uint64(id[:])
}

// Published is what the caches of other nodes have said that they hold. It
// may be out of date: it is a hint for placing work. Its zero value is ready,
// and safe for concurrent use.
type Published struct {
	mu     sync.RWMutex
	byNode map[mesh.NodeID]map[uint64]int64
}

// HandleHoldings takes the place of what a node said before.
func (p *Published) HandleHoldings(from mesh.NodeID, m *pb.Holdings) error {
	if len(m.Keys) != len(m.Bytes) || len(m.Keys) > MaxHoldings {
		return mesh.Errorf(mesh.Invalid, "holdings", "%d keys and %d sizes: expected as many, and at most %d", len(m.Keys), len(m.Bytes), MaxHoldings)
	}
	held := make(map[uint64]int64, len(m.Keys))
	for i, id := range m.Keys {
		held[id] = int64(m.Bytes[i])
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byNode == nil {
		p.byNode = make(map[mesh.NodeID]map[uint64]int64)
	}
	p.byNode[from] = held
	return nil
}

// Forget drops what a node said, which is gone.
func (p *Published) Forget(node mesh.NodeID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.byNode, node)
}

// Holders gives the nodes whose caches hold a key, and how much memory it
// takes there, in bytes.
func (p *Published) Holders(key mesh.Key) map[mesh.NodeID]int64 {
	p.mu.RLock()
	defer p.mu.RUnlock()
	var holders map[mesh.NodeID]int64
	id := idOf(key)
	for node, held := range p.byNode {
		if bytes, ok := held[id]; ok {
			if holders == nil {
				holders = make(map[mesh.NodeID]int64)
			}
			holders[node] = bytes
		}
	}
	return holders
}
