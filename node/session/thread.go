package session

import (
	"context"
	"sync"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// Causal reads and writes keys ordered by cause; the node's replica, its cut
// and its placement together are one.
type Causal interface {
	// Read reads a key so that all that need names of it is seen. A missing
	// key is none of its errors. With together, what was written together with
	// the version can be seen by then, and the version needs it.
	Read(ctx context.Context, key mesh.Key, need lattice.Past, together bool) (CausalRead, error)
	// View tells views of the mesh apart: who owns what is the same in one.
	View() uint64
	// IsOwn reports whether a write was made by this node, which so owned the key.
	IsOwn(made lattice.Past) bool
}

// CausalRead is what Causal gives of a key.
type CausalRead struct {
	Value lattice.Value
	Found bool
	Here  bool         // it was at hand
	Holds bool         // and will be in the view: this node owns it
	View  uint64       // in which it was read
	Needs lattice.Past // what has to be seen by who sees the value
	Made  lattice.Past // what the value is made of
	AsOf  lattice.Past // all of this was seen, as far as it is of the key; covers need
}

// thread is what a session has seen whose reads are ordered by cause, as far
// as one node knows. It travels with the run.
type thread struct {
	users int // guarded by the lock of Sessions

	mu     sync.Mutex
	need   lattice.Past // has to be seen by reads on this node
	holds  lattice.Past // was seen here, and is kept here in the view
	view   uint64
	deeper uint64 // how often a read has added to need
	sight  sight  // of a session whose home is elsewhere, where a run sees one version of each key
}

// Retain keeps what this node knows of a session until as many calls of
// Release. It is for nodes other than the home, where Begin and End do so.
func (s *Sessions) Retain(of mesh.Session) {
	if of.IsZero() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.threads[of.ID]
	if t == nil {
		t = &thread{}
		s.threads[of.ID] = t
	}
	t.users++
}

// Release ends what Retain began.
func (s *Sessions) Release(of mesh.Session) {
	if of.IsZero() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.threads[of.ID]; t != nil {
		if t.users--; t.users == 0 {
			delete(s.threads, of.ID)
			if p := s.open[of.ID]; p != nil {
				p.linger() // the home may never hear that this node has something
			}
		}
	}
}

func (s *Sessions) thread(of mesh.Session) *thread {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.threads[of.ID]
}

// Past is what stages of a session have to see that come after those on this
// node, for Learn on another one; nil where that is nothing.
func (s *Sessions) Past(of mesh.Session) []byte {
	if of.IsZero() || of.Level == mesh.CausalCut {
		return nil
	}
	t := s.thread(of)
	if t == nil {
		return nil
	}
	if of.Level.Pinned() {
		return s.sightHere(of, t)
	}
	return encodePast(t.past())
}

// past is all that was seen.
func (t *thread) past() lattice.Past {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.need.Join(t.holds)
}

// Learn takes what Past gave on another node.
func (s *Sessions) Learn(of mesh.Session, past []byte) error {
	if len(past) == 0 || of.IsZero() {
		return nil
	}
	if of.Level.Pinned() {
		return s.learnSight(of, past)
	}
	p, err := parsePast(past)
	if err == nil {
		s.learnt(of, p)
	}
	return err
}

// learnt is Learn.
func (s *Sessions) learnt(of mesh.Session, past lattice.Past) {
	if past.IsZero() {
		return
	}
	if t := s.thread(of); t != nil {
		t.mu.Lock()
		t.need = t.need.Join(past)
		t.mu.Unlock()
	}
}

// Deeper counts how often a read has found what other reads have to see. If it
// has not changed while several keys were read, they are of one causal cut.
func (s *Sessions) Deeper(of mesh.Session) uint64 {
	if !of.Level.Causal() {
		return 0
	}
	t := s.thread(of)
	if t == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.deeper
}

// getCausal is Get at a causal level.
func (s *Sessions) getCausal(ctx context.Context, of mesh.Session, key mesh.Key) (lattice.Value, bool, error) {
	t := s.thread(of)
	if t == nil {
		return lattice.Value{}, false, errOver()
	}
	need := t.needed(s.cfg.Causal.View())
	read, err := s.cfg.Causal.Read(ctx, key, need, false)
	if err != nil {
		return lattice.Value{}, false, err
	}
	t.saw(of.Level, &read)
	if !read.Found {
		return lattice.Value{}, read.Here, mesh.Errorf(mesh.NotFound, "get "+key.String(), "no such key")
	}
	return read.Value, read.Here, nil
}

// needed is what a read has to see. Once the view has changed that is also what
// this node held before.
func (t *thread) needed(view uint64) lattice.Past {
	t.mu.Lock()
	defer t.mu.Unlock()
	if view != t.view {
		t.need, t.holds, t.view = t.need.Join(t.holds), lattice.Past{}, view
	}
	return t.need
}

func (t *thread) saw(level mesh.Consistency, read *CausalRead) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if level != mesh.CausalKey && !t.need.Covers(read.Needs) {
		t.need = t.need.Join(read.Needs)
		t.deeper++
	}
	t.keep(read.Made, read.Holds, read.View)
}

// keep adds what was read or written, and is kept here or not in a view. With t.mu held.
func (t *thread) keep(made lattice.Past, here bool, view uint64) {
	if here && view == t.view {
		t.holds = t.holds.Join(made)
	} else {
		t.need = t.need.Join(made)
	}
}

// writeCausal is Put and Delete at a causal level.
func (s *Sessions) writeCausal(of mesh.Session, write func(*Causes) error) error {
	t := s.thread(of)
	if t == nil {
		return errOver()
	}
	view := s.cfg.Causal.View()
	t.needed(view)
	causes := &Causes{Untold: of.Level == mesh.CausalKey}
	causes.Seen = t.past()
	if err := write(causes); err != nil {
		return err
	}
	here := s.cfg.Causal.IsOwn(causes.Wrote) && s.cfg.Causal.View() == view
	t.mu.Lock()
	t.keep(causes.Wrote, here, view)
	t.mu.Unlock()
	return nil
}

// Causes are what a write at a causal level tells, and is told.
type Causes struct {
	Seen   lattice.Past // by the run before: the write is to be later
	Untold bool         // who reads what is written need not see it
	Wrote  lattice.Past // to be filled in: which write it is
}
