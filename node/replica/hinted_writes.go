package replica

import (
	"sync"

	"github.com/virga-mesh/virga/mesh"
)

// hintedWrites are the ids of the writes in the deltas that other nodes are
// owed, as far as they fit. They are lost with the process: then an owner gets
// a write without knowing its id. It is safe for concurrent use.
type hintedWrites struct {
	mu    sync.Mutex
	count int // room for those of writes that may count, if they were applied twice
	plain int // and for those that may not, which take no room from the others
	ids   map[mesh.NodeID]map[mesh.Key]hintedIDs
}

// hintedIDs are those of the writes in the deltas of a key.
type hintedIDs struct {
	ids    [][]byte
	counts bool
}

// maxMergeIDs is how many writes one delta tells the ids of.
const maxMergeIDs = 256

// newHintedWrites makes room for up to bound writes that count, and as many
// that do not.
func newHintedWrites(bound int) *hintedWrites {
	return &hintedWrites{count: bound, plain: bound, ids: make(map[mesh.NodeID]map[mesh.Key]hintedIDs)}
}

// Add notes writes after the hint with them is in the store: a node must not
// be told of a write that it does not get.
func (h *hintedWrites) Add(node mesh.NodeID, key mesh.Key, writes hintedIDs) {
	added := len(writes.ids)
	if added == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	keys := h.ids[node]
	if had, ok := keys[key]; ok { // they stay what they are
		writes = hintedIDs{append(had.ids, writes.ids...), had.counts}
	}
	room := h.room(writes)
	if added > *room || len(writes.ids) > maxMergeIDs {
		return
	}
	*room -= added
	if keys == nil {
		keys = make(map[mesh.Key]hintedIDs)
		h.ids[node] = keys
	}
	keys[key] = writes
}

func (h *hintedWrites) room(writes hintedIDs) *int {
	if writes.counts {
		return &h.count
	}
	return &h.plain
}

// Take hands over what is noted for a node, by key. It comes before the hints
// are read.
func (h *hintedWrites) Take(node mesh.NodeID) map[mesh.Key]hintedIDs {
	h.mu.Lock()
	defer h.mu.Unlock()
	keys := h.ids[node]
	delete(h.ids, node)
	for _, writes := range keys {
		*h.room(writes) += len(writes.ids)
	}
	return keys
}

// GiveBack notes again what was taken and not told.
func (h *hintedWrites) GiveBack(node mesh.NodeID, keys map[mesh.Key]hintedIDs) {
	for key, writes := range keys {
		h.Add(node, key, writes)
	}
}
