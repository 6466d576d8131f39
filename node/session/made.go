package session

import (
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// A run at mesh.Repeatable that begins anew makes no write again that it has made:
// what others have written since, perhaps since they had seen it, stays. Writes
// that have an id are counted once by the store; this is for all others.

// madeWrites are writes that a run has made. They are few, in no order.
type madeWrites []madeWrite

type madeWrite struct {
	key mesh.Key
	op  uint64 // hash of the operation; 0: a delete
}

// maxMade bounds those that travel with a run. More are made again.
const maxMade = 256

func (m madeWrites) has(w madeWrite) bool {
	for i := range m {
		if m[i].op == w.op && m[i].key == w.key {
			return true
		}
	}
	return false
}

func (m *madeWrites) add(w madeWrite) {
	if len(*m) < maxMade && !m.has(w) {
		*m = append(*m, w)
	}
}

func (m *madeWrites) addOp(key mesh.Key, op uint64) { m.add(madeWrite{key, op}) }

func (m *madeWrites) merge(other madeWrites) {
	for _, w := range other {
		m.add(w)
	}
}

func hashOf(op lattice.Op) uint64 { return max(xxhash.Sum64(op.AppendBinary(nil)), 1) }

// makeOnce makes a write of a session at mesh.Repeatable, unless the run made it
// before it began anew.
func (s *Sessions) makeOnce(of mesh.Session, w madeWrite, make func() error) error {
	if s.known(of, func(_, done *madeWrites) bool { return done.has(w) }) {
		return nil
	}
	if err := make(); err != nil {
		return err
	}
	s.known(of, func(made, _ *madeWrites) bool { made.add(w); return true })
	return nil
}

// known looks at what this node knows of the writes of a session.
func (s *Sessions) known(of mesh.Session, look func(made, done *madeWrites) bool) bool {
	if p := s.here(of); p != nil && p.home != nil {
		p.home.mu.Lock()
		defer p.home.mu.Unlock()
		return look(&p.home.made, &p.home.done)
	}
	t := s.thread(of)
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return look(&t.sight.made, &t.sight.done)
}

// allMade is what a session of this home has made, and before.
func (h *home) allMade() madeWrites {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := slices.Clone(h.made)
	all.merge(h.done)
	return all
}
