package replica

import (
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// standing is what a node knows of a write with an id. The numbers are part
// of the wire format (pb.AskWriteReply).
type standing uint8

const (
	unheard standing = iota // nothing; and it will not apply the write before the one who asked
	claimed                 // it wants to apply the write, and is asking the other owners
	arrives                 // it is applying or merging the write
	held                    // its copy of the key has the write
)

func (s standing) String() string {
	return [...]string{"unheard", "claimed", "arrives", "held"}[s]
}

// writeMemory knows which writes with ids this node's copies of keys have.
// It has no clock and no I/O. It forgets the oldest writes, and says how far
// back it remembers all. It is safe for concurrent use.
type writeMemory struct {
	bound int // of a generation
	seeds [2]maphash.Seed

	mu         sync.Mutex
	open       map[writeHash]*openWrite
	young, old map[writeHash]memo
	since      time.Time // nothing that came later is forgotten
	youngSince time.Time
}

// writeHash stands for a writeID.
type writeHash [2]uint64

// openWrite is a write that somebody works on here.
type openWrite struct {
	arriving int // deltas and applications
	claiming int
}

// memo is what is remembered of a write.
type memo struct {
	held   bool
	askers []mesh.NodeID // to whom this node promised to let them go first
}

// newWriteMemory makes a memory of up to bound writes, beginning now.
func newWriteMemory(bound int, now time.Time) *writeMemory {
	return &writeMemory{
		bound: max(1, bound/2), seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		open: make(map[writeHash]*openWrite), young: make(map[writeHash]memo),
		since: now, youngSince: now,
	}
}

func (m *writeMemory) hash(id writeID) (h writeHash) {
	var buf [MaxWriteID + mesh.MaxNamespace + 256]byte
	raw := append(append(append(buf[:0], id.id...), 0), id.key.Namespace...)
	raw = append(append(raw, 0), id.key.Name...)
	for i, seed := range m.seeds {
		h[i] = maphash.Bytes(seed, raw)
	}
	return h
}

// First begins the application of a write that is said to be attempted for
// the first time. It reports false, and begins nothing, if another attempt
// was heard of: then the write is to be claimed.
func (m *writeMemory) First(id writeID) bool {
	h := m.hash(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.recall(h); known || m.open[h] != nil {
		return false
	}
	m.opened(h).arriving++
	return true
}

// Arrive begins the merge of a delta that has the write.
func (m *writeMemory) Arrive(id writeID) {
	h := m.hash(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.opened(h).arriving++
}

// Settle ends what First, Arrive or a granted claim began. From now on the
// write is held, if it was applied or merged.
func (m *writeMemory) Settle(id writeID, applied bool, now time.Time) {
	h := m.hash(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	if applied {
		m.remember(h, memo{held: true}, now)
	}
	m.open[h].arriving--
	m.close(h)
}

// Claim begins asking the other owners about a write.
func (m *writeMemory) Claim(id writeID) {
	h := m.hash(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.opened(h).claiming++
}

// Grant ends a claim by the application of the write, which Settle ends. It
// reports false if this node's copy has the write, or is getting it, meanwhile.
func (m *writeMemory) Grant(id writeID) bool {
	h := m.hash(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	known, _ := m.recall(h)
	at := m.open[h]
	if known.held || at.arriving > 0 {
		return false
	}
	at.claiming--
	at.arriving++
	return true
}

// Unclaim ends a claim.
func (m *writeMemory) Unclaim(id writeID) {
	h := m.hash(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open[h].claiming--
	m.close(h)
}

// Holds reports whether this node's copy has the write.
func (m *writeMemory) Holds(id writeID) bool {
	h := m.hash(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	known, _ := m.recall(h)
	return known.held
}

// Own is what this node itself has to say when it claims a write: since when
// it remembers all writes, and to whom it gave way.
func (m *writeMemory) Own(id writeID) (since time.Time, askers []mesh.NodeID) {
	h := m.hash(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	known, _ := m.recall(h)
	return m.since, known.askers
}

// Answer tells another owner, which wants to apply a write, how it stands
// here, and since when this node remembers all writes. With unheard, this
// node gives way: it will not apply the write while the asker claims it.
func (m *writeMemory) Answer(id writeID, asker mesh.NodeID, now time.Time) (standing, time.Time) {
	h := m.hash(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	known, _ := m.recall(h)
	switch at := m.open[h]; {
	case known.held:
		return held, m.since
	case at != nil && at.arriving > 0:
		return arrives, m.since
	case at != nil && at.claiming > 0:
		return claimed, m.since
	}
	if !slices.Contains(known.askers, asker) {
		known.askers = append(slices.Clip(known.askers), asker)
	}
	m.remember(h, known, now)
	return unheard, m.since
}

func (m *writeMemory) opened(h writeHash) *openWrite {
	at := m.open[h]
	if at == nil {
		at = &openWrite{}
		m.open[h] = at
	}
	return at
}

func (m *writeMemory) close(h writeHash) {
	if *m.open[h] == (openWrite{}) {
		delete(m.open, h)
	}
}

func (m *writeMemory) recall(h writeHash) (memo, bool) {
	known, ok := m.young[h]
	if !ok {
		known, ok = m.old[h]
	}
	return known, ok
}

// remember notes a write in the younger of two generations. When that is
// full, the older one is forgotten.
func (m *writeMemory) remember(h writeHash, known memo, now time.Time) {
	if _, young := m.young[h]; !young && len(m.young) >= m.bound {
		m.old, m.since = m.young, m.youngSince
		m.young, m.youngSince = make(map[writeHash]memo), now
	}
	m.young[h] = known
}
