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
	merged, err := s.write(ctx, key, d, adding, s.changing(key, make, &delta))
	return delta, merged, writeError("put", key, err)
}

// ChangeAtHand is Change with mesh.Memory for who must not wait. It reports
// false, and changes nothing, unless the key exists, its cell is in memory and
// no divided collection, and there is room for what is yet to be written.
func (s *Store) ChangeAtHand(key mesh.Key, make func(have lattice.Cell, at lattice.Write) (lattice.Cell, error)) (delta lattice.Cell, merged mesh.Merged, ok bool, err error) {
	if s.pendingBytes() > s.pendingLimit || s.fail.err() != nil {
		return delta, merged, false, nil
	}
	cell := s.cells.Lock(key)
	if s.closed.Load() || !isAtHand(cell.Peek()) {
		cell.Unlock()
		return delta, merged, false, nil
	}
	merged, _, err = s.mergePending(&cell, key, adding, s.changing(key, make, &delta))
	s.cells.Trim()
	merged.Durability = mesh.Memory
	return delta, merged, true, writeError("put", key, err)
}

// isAtHand is for cells whose changes need not go through (mustGoThrough).
func isAtHand(cell *lattice.Cell) bool {
	if cell == nil {
		return false
	}
	value, exists := cell.Value()
	return exists && !value.Divided()
}

// changing makes a delta by make, and gives it to the caller, too.
func (s *Store) changing(key mesh.Key, make func(have lattice.Cell, at lattice.Write) (lattice.Cell, error), delta *lattice.Cell) func(lattice.Cell) (lattice.Cell, error) {
	return func(have lattice.Cell) (lattice.Cell, error) {
		if err := s.followTop(have); err != nil {
			return lattice.Cell{}, err
		}
		var err error
		*delta, err = make(have, s.now(key))
		return *delta, err
	}
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
