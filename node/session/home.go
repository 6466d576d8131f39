package session

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/virga-mesh/virga/mesh"
)

// home is what the home of a session knows: which version of each key the
// session sees, and which nodes hold it. It does no I/O.
type home struct {
	mu      sync.Mutex
	keys    map[mesh.Key]*entry
	members []mesh.NodeID         // that ever held something
	tx      *transaction          // at mesh.Transactional, else nil
	written map[mesh.Key]uint64   // versions
	heard   map[mesh.Key][]glance // reads that nobody has asked about, to be taken up in the turn of the entry
	later   map[mesh.Key]seen     // writes that came with the last stage's result, to be taken up as well
	refused error                 // why one of them cannot be made
	made    madeWrites            // at mesh.Repeatable, as far as it is known here
	done    madeWrites            // before the run began anew
	asks    bool                  // this home decides each first read
	torn    []mesh.Key            // of which the run has read two versions
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
	read    *reading // how the session first saw the key; nil: it has only written it
	first   seen     // what it saw then
}

// readFirst notes how the session first sees the key; how is nil unless it is a transaction.
func (e *entry) readFirst(now seen, how *reading) {
	if how == nil {
		how = &reading{version: now.version()}
	}
	e.read, e.first = how, now
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
	h.takeUp(key, e)
	return e, func() { <-e.turn }, nil
}

// knows reports whether the session is known to have seen a key, without waiting.
func (h *home) knows(key mesh.Key) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.keys[key]
	return len(h.heard[key]) > 0 || e != nil && len(e.holders) > 0
}

// hear notes what the run has read elsewhere, and what its last stage has written.
func (h *home) hear(reads []glance, writes map[mesh.Key]seen) {
	if len(reads)+len(writes) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.heard == nil {
		h.heard = map[mesh.Key][]glance{}
	}
	if h.tx != nil && len(writes) > 0 {
		h.later = writes
	}
	for _, g := range reads {
		if len(h.keys)+len(h.heard) >= MaxKeys {
			h.torn = append(h.torn, g.key) // the run begins anew, and is told that these are too many
			return
		}
		h.heard[g.key] = append(h.heard[g.key], g)
	}
}

// takeUp has an entry be as what was heard of its key says. In the turn of e.
func (h *home) takeUp(key mesh.Key, e *entry) {
	h.mu.Lock()
	glances := h.heard[key]
	delete(h.heard, key)
	next, written := h.later[key]
	delete(h.later, key)
	h.mu.Unlock()
	if written {
		defer h.takeUpWrite(key, e, next)
	}
	for _, g := range glances {
		switch {
		case e.read == nil: // also of what was written meanwhile: a stage beside the writer had read it before
			e.readFirst(g.seen(), g.how)
			h.tx.saw(g.how)
			if !e.known {
				e.known, e.seen = true, g.seen()
			}
		case e.read.version != g.version:
			h.tear(key)
		}
		if e.seen.version() == g.version {
			h.hold(e, g.holder)
		} else {
			h.hasPart(g.holder)
		}
	}
}

// takeUpWrite has an entry be as the last stage of a transaction has written
// it. In the turn of e, after what was read of it.
func (h *home) takeUpWrite(key mesh.Key, e *entry, next seen) {
	if err := h.tx.mayWrite(key, &next); err != nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.refused = err
		return
	}
	e.known, e.seen, e.written = true, next, true
}

// tear notes that the run has read two versions of a key.
func (h *home) tear(key mesh.Key) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.torn = append(h.torn, key)
}

// hasPart notes that a node has something of the session.
func (h *home) hasPart(node mesh.NodeID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.members = with(h.members, node)
}

// sight is what other nodes have to know.
func (h *home) sight() *sight {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := &sight{asks: h.asks, done: slices.Clone(h.done), writes: maps.Clone(h.written)}
	for key, e := range h.keys {
		if t.asks && !t.hasRoom() {
			return t // no more of them travels
		}
		if _, written := t.writes[key]; written {
			continue
		}
		select {
		case e.turn <- struct{}{}:
			if e.known {
				t.look(glance{key: key, version: e.seen.version()})
			}
			<-e.turn
		default: // a stage beside what goes on from here has it
		}
	}
	for key, glances := range h.heard { // of which nobody has asked yet
		_, written := t.writes[key]
		if _, known := t.read(key); !known && !written {
			t.look(glance{key: key, version: glances[0].version})
		}
	}
	return t
}

// hold notes that a node holds what is seen of a key.
func (h *home) hold(e *entry, node mesh.NodeID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e.holders = with(e.holders, node)
	h.members = with(h.members, node)
}

// holdAlone is hold for what the node has written, after the others have forgotten.
func (h *home) holdAlone(key mesh.Key, e *entry, node mesh.NodeID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.written == nil {
		h.written = map[mesh.Key]uint64{}
	}
	h.written[key] = e.seen.version()
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
