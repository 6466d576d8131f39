package sdk

import (
	"maps"
	"math/rand/v2"
	"sync/atomic"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// hotBook remembers which nodes read hot keys beside their owners, as the
// last answer for each key told. It is bounded. Its zero value knows nothing.
type hotBook struct {
	readers atomic.Pointer[map[mesh.Key][]mesh.NodeID] // a new map for each change
}

// Bounds of what is remembered.
const (
	maxHotKeys = 256
	maxReaders = 64 // of a key
)

// Spread gives the nodes that may answer a get of a hot key, in another order
// for each request: the owners that are known, and the extra readers. Where no
// owners are known "" stands for the node that the client is connected to. It
// gives nothing for other requests, and for gets with a quorum, which owners answer.
func (b *hotBook) Spread(req wire.Message, owners []mesh.NodeID) []mesh.NodeID {
	all := b.readers.Load()
	get, ok := req.(*pb.Get)
	if all == nil || !ok || get.Quorum > 1 {
		return nil
	}
	key, _ := keyOf(get)
	readers := (*all)[key]
	if len(readers) == 0 {
		return nil
	}
	nodes := make([]mesh.NodeID, 0, len(owners)+len(readers)+1)
	nodes = append(append(nodes, owners...), readers...)
	if len(owners) == 0 {
		nodes = append(nodes, "")
	}
	rand.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	return nodes
}

// Heed remembers the readers that the answer to a get tells, or that there are none any more.
func (b *hotBook) Heed(req, reply wire.Message) {
	get, isGet := req.(*pb.Get)
	answer, isAnswer := reply.(*pb.GetReply)
	if !isGet || !isAnswer || b.readers.Load() == nil && len(answer.Readers) == 0 {
		return
	}
	key, _ := keyOf(get)
	for {
		before := b.readers.Load()
		after := b.with(before, key, answer.Readers)
		if after == before || b.readers.CompareAndSwap(before, after) {
			return
		}
	}
}

// with is what is known once an answer has told the readers of a key.
func (b *hotBook) with(before *map[mesh.Key][]mesh.NodeID, key mesh.Key, told [][]byte) *map[mesh.Key][]mesh.NodeID {
	after := map[mesh.Key][]mesh.NodeID{}
	if before != nil {
		if same((*before)[key], told) || len(told) > 0 && (*before)[key] == nil && len(*before) >= maxHotKeys {
			return before
		}
		after = maps.Clone(*before)
	}
	delete(after, key)
	for _, id := range told[:min(len(told), maxReaders)] {
		after[key] = append(after[key], mesh.NodeID(id))
	}
	if len(after) == 0 {
		return nil
	}
	return &after
}

func same(known []mesh.NodeID, told [][]byte) bool {
	if len(known) != min(len(told), maxReaders) {
		return false
	}
	for i, id := range known {
		if string(id) != string(told[i]) {
			return false
		}
	}
	return true
}
