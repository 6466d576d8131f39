package session

import (
	"context"
	"slices"
	"sync"

	"github.com/virga-mesh/virga/mesh"
)

// home is what the home of a session knows: which version of each key the
// session sees, and which nodes hold it. It does no I/O.
type home struct {
	mu      sync.Mutex
	keys    map[mesh.Key]*entry
	members []mesh.NodeID // that ever held something
	tx      *transaction  // at mesh.Transactional, else nil
}

// entry is a key that the session has seen. What is seen changes only in the
// turn of one caller; holders are guarded by the home's mu, for nodes die at
// any time.
type entry struct {
	turn    chan struct{} // of capacity 1
	known   bool
	seen    seen // without its value where only holders have it
	written bool // seen is what the run itself wrote last
	holders []mesh.NodeID
	read    *reading // of a transaction, how it first saw the key; nil: it has only written it
}

// take gives the entry of a key, and the turn to change it until release.
func (h *home) take(ctx context.Context, key mesh.Key, limit int) (e *entry, release func(), err error) {
	h.mu.Lock()
	if e = h.keys[key]; e == nil {
		if len(h.keys) >= limit {
			h.mu.Unlock()
			return nil, nil, mesh.Errorf(mesh.Overloaded, "session", "the run has seen %d keys: expected no more", limit)
		}
		e = &entry{turn: make(chan struct{}, 1)}
		h.keys[key] = e
	}
	h.mu.Unlock()
	select {
	case e.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, mesh.AsError("session", ctx.Err())
	}
	if h.tx.isSealed() { // perhaps while this caller waited
		<-e.turn
		return nil, nil, errOver()
	}
	return e, func() { <-e.turn }, nil
}

// hold notes that a node holds what is seen of a key.
func (h *home) hold(e *entry, node mesh.NodeID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e.holders = with(e.holders, node)
	h.members = with(h.members, node)
}

// holdAlone is hold after the others have forgotten.
func (h *home) holdAlone(e *entry, node mesh.NodeID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e.holders = []mesh.NodeID{node}
	h.members = with(h.members, node)
}

// others lists the holders of a key but one.
func (h *home) others(e *entry, but mesh.NodeID) []mesh.NodeID {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(e.holders), func(node mesh.NodeID) bool { return node == but })
}

func (h *home) holds(e *entry, node mesh.NodeID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Contains(e.holders, node)
}

// lose forgets that a node holds anything: it died.
func (h *home) lose(node mesh.NodeID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	is := func(other mesh.NodeID) bool { return other == node }
	for _, e := range h.keys {
		e.holders = slices.DeleteFunc(e.holders, is)
	}
	h.members = slices.DeleteFunc(h.members, is)
}

// everyone lists the nodes that ever held something, but one.
func (h *home) everyone(but mesh.NodeID) []mesh.NodeID {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(h.members), func(node mesh.NodeID) bool { return node == but })
}

func with(nodes []mesh.NodeID, node mesh.NodeID) []mesh.NodeID {
	if slices.Contains(nodes, node) {
		return nodes
	}
	return append(nodes, node)
}
