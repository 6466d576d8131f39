package store

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// Change merges the delta that make gives of the cell of a key, and gives it
// for the other owners. make is called under the key's lock with the cell as
// it is, which it must not change, and with who writes and when; it must be
// short, and must not call the store. The zero Cell changes nothing. Errors are
// make's and Apply's.
func (s *Store) Change(ctx context.Context, key mesh.Key, d mesh.Durability, make func(have lattice.Cell, at lattice.Write) (lattice.Cell, error)) (lattice.Cell, mesh.Merged, error) {
	var delta lattice.Cell
	merged, err := s.write(ctx, key, d, adding, func(have lattice.Cell) (lattice.Cell, error) {
		if err := s.followTop(have); err != nil {
			return lattice.Cell{}, err
		}
		var err error
		delta, err = make(have, s.now(key))
		return delta, err
	})
	return delta, merged, writeError("put", key, err)
}

// now is who writes to a key, and when.
func (s *Store) now(key mesh.Key) lattice.Write {
	at := lattice.Write{Stamp: s.clock.Now(), Writer: s.writerFor(key), Now: time.Now()}
	if s.birthAge > 0 {
		at.Born = s.births.at(at.Now.Add(-s.birthAge).Truncate(s.birthAge / birthGrain))
	}
	return at
}

// birthGrain is into how many moments of birth Options.BirthAge is divided.
// Cells that begin at about the same time share the memory for one.
const birthGrain = 8

// births makes the birth of each moment once.
type births struct{ last atomic.Pointer[birthAt] }

type birthAt struct {
	at    time.Time
	birth lattice.Birth
}

func (b *births) at(moment time.Time) lattice.Birth {
	last := b.last.Load()
	if last == nil || !last.at.Equal(moment) {
		last = &birthAt{moment, lattice.NewBirth(moment)}
		b.last.Store(last)
	}
	return last.birth
}
