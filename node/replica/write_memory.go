package replica

import (
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
	bound int
	hash  writeHasher

	mu    sync.Mutex
	open  map[writeHash]openWrite
	memos generations[writeHash, memo]
	// plain are held, too, and would not count twice. Every put of a register is
	// one, so they have a place of their own: they displace no other.
	plain generations[writeHash, struct{}]
	// contested are the writes that an owner, this one included, wanted to
	// make anew without having them. They are few, and so kept for long.
	contested generations[writeHash, struct{}]
}

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

// newWriteMemory makes a memory of up to bound writes that count, and as many
// that do not, beginning now.
func newWriteMemory(bound int, now time.Time) *writeMemory {
	return &writeMemory{
		bound: bound, hash: newWriteHasher(),
		open:      make(map[writeHash]openWrite),
		memos:     newGenerations[writeHash, memo](bound, now),
		plain:     newGenerations[writeHash, struct{}](bound, now),
		contested: newGenerations[writeHash, struct{}](bound, now),
	}
}

// First begins the application of a write that is said to be attempted for
// the first time. It reports false, and begins nothing, if another attempt
// was heard of: then the write is to be claimed.
func (m *writeMemory) First(id writeID) bool {
	h := m.hash.of(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	_, known := m.memos.recall(h)
	_, plain := m.plain.recall(h)
	_, contested := m.contested.recall(h)
	if known || plain || contested || m.open[h] != (openWrite{}) {
		return false
	}
	m.add(h, openWrite{arriving: 1})
	return true
}

// Arrive begins the merge of a delta that has the write. It reports whether
// this node's copy had it before, and whether it is certain that no owner has
// asked this node about it, or was told to go first. Who asks from now on learns
// that the write is there.
func (m *writeMemory) Arrive(id writeID, now time.Time) (had, uncontested bool) {
	h := m.hash.of(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(h, openWrite{arriving: 1})
	_, contested := m.contested.recall(h)
	return m.recall(h).held, !contested && now.Sub(m.contested.since) >= firmAfter
}

// firmAfter is how far back a node must remember who asked about a write
// before it says that nobody did: longer than an attempt may be on its way.
const firmAfter = 30 * time.Second

// Settle ends what First, Arrive or a granted claim began. From now on the
// write is held, if it was applied or merged. It may count, if it were applied
// twice, or may not.
func (m *writeMemory) Settle(id writeID, applied, counts bool, now time.Time) {
	h := m.hash.of(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case applied && counts:
		m.memos.remember(h, memo{held: true}, now)
	case applied:
		m.plain.remember(h, struct{}{}, now)
	}
	m.add(h, openWrite{arriving: -1})
}

// Claim begins asking the other owners about a write.
func (m *writeMemory) Claim(id writeID, now time.Time) {
	h := m.hash.of(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(h, openWrite{claiming: 1})
	m.contested.remember(h, struct{}{}, now)
}

// Grant ends a claim by the application of the write, which Settle ends. It
// reports false if this node's copy has the write, or is getting it, meanwhile.
func (m *writeMemory) Grant(id writeID) bool {
	h := m.hash.of(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.recall(h).held || m.open[h].arriving > 0 {
		return false
	}
	m.add(h, openWrite{arriving: 1, claiming: -1})
	return true
}

// Unclaim ends a claim.
func (m *writeMemory) Unclaim(id writeID) {
	h := m.hash.of(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(h, openWrite{claiming: -1})
}

// Holds reports whether this node's copy has the write.
func (m *writeMemory) Holds(id writeID) bool {
	h := m.hash.of(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.recall(h).held
}

// Own is what this node itself has to say when it claims a write: since when
// it remembers all writes, and to whom it gave way.
func (m *writeMemory) Own(id writeID) (since time.Time, askers []mesh.NodeID) {
	h := m.hash.of(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.memos.since, m.recall(h).askers
}

// Answer tells another owner, which wants to apply a write, how it stands
// here, and since when this node remembers all writes. With unheard, this
// node gives way: it will not apply the write while the asker claims it.
func (m *writeMemory) Answer(id writeID, asker mesh.NodeID, now time.Time) (standing, time.Time) {
	h := m.hash.of(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.recall(h)
	switch at := m.open[h]; {
	case known.held:
		return held, m.memos.since
	case at.arriving > 0:
		return arrives, m.memos.since
	case at.claiming > 0:
		return claimed, m.memos.since
	}
	if !slices.Contains(known.askers, asker) {
		known.askers = append(slices.Clip(known.askers), asker)
	}
	m.memos.remember(h, known, now)
	m.contested.remember(h, struct{}{}, now)
	return unheard, m.memos.since
}

// recall gives what is remembered of a write.
func (m *writeMemory) recall(h writeHash) memo {
	known, _ := m.memos.recall(h)
	if !known.held {
		_, known.held = m.plain.recall(h)
	}
	return known
}

// add changes how many work on a write.
func (m *writeMemory) add(h writeHash, more openWrite) {
	at := m.open[h]
	at.arriving += more.arriving
	at.claiming += more.claiming
	if at == (openWrite{}) {
		delete(m.open, h)
		return
	}
	m.open[h] = at
}
