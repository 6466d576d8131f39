package replica

import (
	"sync"

	"github.com/virga-mesh/virga/mesh"
)

// hintedWrites are the ids of the writes in the deltas that other nodes are
// owed, as far as they fit. They are lost with the process: then an owner gets
// a write without knowing its id. It is safe for concurrent use.
type hintedWrites struct {
	mu   sync.Mutex
	room int
	ids  map[mesh.NodeID]map[mesh.Key][][]byte
}

// maxMergeIDs is how many writes one delta tells the ids of.
const maxMergeIDs = 256

func newHintedWrites(bound int) *hintedWrites {
	return &hintedWrites{room: bound, ids: make(map[mesh.NodeID]map[mesh.Key][][]byte)}
}

// Add notes writes after the hint with them is in the store: a node must not
// be told of a write that it does not get.
func (h *hintedWrites) Add(node mesh.NodeID, key mesh.Key, ids [][]byte) {
	if len(ids) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	keys := h.ids[node]
	if len(ids) > h.room || len(keys[key])+len(ids) > maxMergeIDs {
		return
	}
	if keys == nil {
		keys = make(map[mesh.Key][][]byte)
		h.ids[node] = keys
	}
	h.room -= len(ids)
	keys[key] = append(keys[key], ids...)
}

// Take hands over what is noted for a node, by key. It comes before the hints
// are read.
func (h *hintedWrites) Take(node mesh.NodeID) map[mesh.Key][][]byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	keys := h.ids[node]
	delete(h.ids, node)
	for _, ids := range keys {
		h.room += len(ids)
	}
	return keys
}

// GiveBack notes again what was taken and not told.
func (h *hintedWrites) GiveBack(node mesh.NodeID, keys map[mesh.Key][][]byte) {
	for key, ids := range keys {
		h.Add(node, key, ids)
	}
}
