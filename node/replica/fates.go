package replica

import (
	"encoding/binary"
	"hash/maphash"
	"sync"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// fates are how the writes went that this node applied and that have ids, as
// far as it remembers: what a counter has to know before it drops its record
// of a write. They are lost with the process. It is safe for concurrent use.
type fates struct {
	seed maphash.Seed
	mu   sync.Mutex
	firm generations[fateKey, bool] // false: open
}

// fateKey stands for a write of a key.
type fateKey [2]uint64

func newFates(bound int, now time.Time) *fates {
	return &fates{seed: maphash.MakeSeed(), firm: newGenerations[fateKey, bool](bound, now)}
}

// under gives the fates of the writes of one key.
func (f *fates) under(key mesh.Key) keyFates {
	return keyFates{f, maphash.Comparable(f.seed, key)}
}

// keyFates are the fates of the writes of one key.
type keyFates struct {
	*fates
	key uint64
}

func (f keyFates) of(id lattice.WriteID) fateKey {
	return fateKey{binary.BigEndian.Uint64(id[:8]) ^ f.key, binary.BigEndian.Uint64(id[8:])}
}

// Note notes that a write is open, or that it is firm.
func (f keyFates) Note(id lattice.WriteID, firm bool, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.firm.remember(f.of(id), firm, now)
}

// Fate is lattice.Write.Fate.
func (f keyFates) Fate(id lattice.WriteID) lattice.Fate {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch firm, known := f.firm.recall(f.of(id)); {
	case !known:
		return lattice.FateUnknown
	case firm:
		return lattice.FateFirm
	}
	return lattice.FateOpen
}

// applying makes the delta of a change that is a write of its own, or an attempt of one with an id.
func (r *Replica) applying(c change, w *recentWrite) func(lattice.Cell, lattice.Write) (lattice.Cell, error) {
	var fates keyFates
	if !w.counts.IsZero() {
		fates = r.fates.under(c.key)
		fates.Note(w.counts, false, time.Now())
	}
	return func(have lattice.Cell, at lattice.Write) (lattice.Cell, error) {
		if err := c.inTime(at.Now); err != nil {
			return lattice.Cell{}, err
		}
		if err := c.mayStamp(at.Stamp); err != nil {
			return lattice.Cell{}, err
		}
		at = c.stamped(at)
		if !w.counts.IsZero() {
			at.ID, at.Fate = w.counts, fates.Fate
		}
		if c.make != nil {
			return c.make(have, at)
		}
		return have.Apply(c.kind, c.op, at)
	}
}
