package store

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/cellmap"
)

// inMemory is what stands beside a cell in the memory tier. There are millions
// of them.
type inMemory uint8

const (
	marked   inMemory = 1 << iota // the index has it as changed already
	fresh                         // it is not on disk yet
	replaces                      // its record is damaged, or lifted: what is written takes its place
	buried                        // on disk it is a deleted key's
	hasAside                      // see aside
)

// aside is what few cells have while they differ from what is on disk.
type aside struct {
	// delta is what the cell grew by, if growth: that is written, in the place
	// of the cell.
	delta  lattice.Cell
	growth bool
	// expires is when the cell expires as the disk has it.
	expires expiry
}

// wholeBytes is up to what size a cell is written whole when it has changed,
// in the place of what it grew by, which would have to be kept beside it.
const wholeBytes = 512

// mergeInMemory merges into the memory tier the delta that make gives. What is
// merged is pending: it is yet to be written to the disk, and if it goes
// through, before the caller returns.
func (s *Store) mergeInMemory(key mesh.Key, why purpose, make func(have lattice.Cell) (lattice.Cell, error)) (merged mesh.Merged, through bool, err error) {
	if err := s.fail.err(); err != nil {
		return merged, false, err
	}
	cell := s.cells.Lock(key)
	if cell.Peek() == nil {
		cell.Unlock() // the disk is read only by those who have entered
		if err := s.enter(); err != nil {
			return merged, false, err
		}
		defer s.leave()
		cell = s.cells.Lock(key)
	} else if s.closed.Load() {
		cell.Unlock()
		return merged, false, errClosed
	}
	return s.mergePending(&cell, key, why, make)
}

// mergePending is mergeInMemory for a cell that is locked, and unlocks it.
func (s *Store) mergePending(cell *cellmap.Locked[inMemory], key mesh.Key, why purpose, make func(have lattice.Cell) (lattice.Cell, error)) (merged mesh.Merged, through bool, err error) {
	merged, delta, before, err := s.mergeLocked(cell, key, why, make)
	if merged.Grew {
		s.note(cell, before, delta)
		through = before.mustGoThrough(stateOf(cell.Peek()))
	}
	s.unlock(cell, merged.Grew, delta)
	return merged, through, err
}

// mergeLogged is mergeInMemory for who has entered and waits for the log: all
// that is pending of the key then is handed to the engine. The commit, if
// there is one, is still to be waited for.
func (s *Store) mergeLogged(key mesh.Key, d mesh.Durability, why purpose, make func(have lattice.Cell) (lattice.Cell, error)) (merged mesh.Merged, commit *pebble.Batch, err error) {
	if err := s.fail.err(); err != nil {
		return merged, nil, err
	}
	shard := s.cells.ShardOf(key)
	disk := &s.disks[shard]
	disk.Lock()
	defer disk.Unlock()
	cell := s.cells.Lock(key)
	pinned := cell.Pinned()
	merged, delta, before, err := s.mergeLocked(&cell, key, why, make)
	if err != nil || !merged.Grew && !pinned {
		cell.Unlock()
		return merged, nil, err
	}
	o := outgoing{batch: s.db.NewBatch(), hurries: true}
	if pinned {
		if merged.Grew {
			s.note(&cell, before, delta)
		}
		err = s.add(&o, &cell)
		o.taken = cell.Take(nil)
	} else {
		pending, whole := delta, false
		if before.liftedBy(cell.Peek()) {
			*cell.Meta() |= replaces
			pending, whole = *cell.Peek(), true
		}
		err = s.put(&o, &cell, pending, whole, before.expires)
		o.taken = cell.Hold(nil)
	}
	s.unlock(&cell, merged.Grew, delta)
	if err != nil {
		s.fail.set("committing", err)
		return merged, nil, s.fail.err()
	}
	commit, err = s.hand(&o, d)
	return merged, commit, err
}

// unlock gives the lock of a cell back, and tells of the delta if it grew.
func (s *Store) unlock(cell *cellmap.Locked[inMemory], grew bool, delta lattice.Cell) {
	if !grew || s.onGrow == nil {
		cell.Unlock()
		return
	}
	// Taken before the cell's lock is given back, so that the next delta of
	// this key is told after this one.
	grow := &s.growMu[cell.Shard()]
	key := cell.Key()
	grow.Lock()
	cell.Unlock()
	s.onGrow(key, delta)
	grow.Unlock()
}

// mergeLocked merges, and gives how the cell was before.
func (s *Store) mergeLocked(cell *cellmap.Locked[inMemory], key mesh.Key, why purpose, make func(have lattice.Cell) (lattice.Cell, error)) (merged mesh.Merged, delta lattice.Cell, before state, err error) {
	found, err := s.load(cell, key)
	damaged := errors.Is(err, errDamaged)
	if err != nil && !damaged {
		return merged, delta, before, err
	}
	var have lattice.Cell
	if found {
		have = *cell.Cell()
	}
	if delta, err = make(have); err != nil {
		return merged, delta, before, err
	}
	if err = s.admit(delta, why); err != nil {
		return merged, delta, before, err
	}
	before = stateOf(&have)
	merged.Created = !found
	merged.Dominated = have.Dominates(delta)
	if found {
		merged.Grew, err = cell.Mutable().Merge(delta)
	} else if merged.Grew = !delta.IsZero(); merged.Grew {
		s.create(cell, delta, damaged)
	}
	return merged, delta, before, err
}

// create puts a cell into memory of which there is no record, or a damaged one.
func (s *Store) create(cell *cellmap.Locked[inMemory], delta lattice.Cell, damaged bool) {
	if damaged {
		cell.Insert(delta.Clone(), replaces)
		return
	}
	cell.Insert(delta.Clone(), fresh)
	s.fresh.Add(1)
}

// state is what of a cell other records stand for, or other cells depend on.
type state struct {
	held    bool
	began   lattice.Stamp
	reset   lattice.Stamp
	expires expiry
	divided bool
}

func stateOf(cell *lattice.Cell) state {
	value, _ := cell.Value()
	return state{held: !cell.IsZero(), began: cell.Began(), reset: cell.ResetAt(), expires: expiryOf(*cell), divided: value.Divided()}
}

// mustGoThrough reports whether a change is written at once: the parts of a
// collection are no use without its mark, and come back without its deletion,
// so that nothing that is written later may reach the disk before it.
func (before state) mustGoThrough(now state) bool {
	return before.divided != now.divided || before.reset != now.reset
}

// note notes that a cell has changed since it was written.
func (s *Store) note(cell *cellmap.Locked[inMemory], before state, delta lattice.Cell) {
	pinned, meta := cell.Pinned(), cell.Meta()
	if before.liftedBy(cell.Peek()) {
		*meta |= replaces
		s.forgetGrowth(cell)
	}
	small := *meta&(fresh|replaces) != 0 || isSmall(cell.Peek())
	switch {
	case *meta&hasAside != 0:
		s.grow(s.asides[cell.Shard()][cell.Key()], delta)
	case !pinned && !small:
		a := &aside{growth: true, expires: before.expires}
		s.putAside(cell, a)
		s.grow(a, delta)
	case before.expires != expiryOf(*cell.Peek()):
		s.putAside(cell, &aside{expires: before.expires})
	}
	if cell.Pin(*meta&hasAside == 0 || small) {
		s.writeBack.Wrote()
	}
}

func isSmall(cell *lattice.Cell) bool {
	value, _ := cell.Value()
	return value.Kind() == lattice.LWWKind || cell.Size() <= wholeBytes
}

func (s *Store) putAside(cell *cellmap.Locked[inMemory], a *aside) {
	*cell.Meta() |= hasAside
	shard := cell.Shard()
	if s.asides[shard] == nil {
		s.asides[shard] = make(map[mesh.Key]*aside)
	}
	s.asides[shard][cell.Key()] = a
	s.weighAside(asideBytes)
}

// asideBytes is what an aside takes beside its delta, and its key's names.
const asideBytes = 160

func (s *Store) weighAside(bytes int64) {
	s.asideBytes.Add(bytes)
	s.cells.Reserve(bytes)
}

// grow adds to what a cell grew by.
func (s *Store) grow(a *aside, delta lattice.Cell) {
	if !a.growth {
		return
	}
	before := a.delta.Size()
	if _, err := a.delta.Merge(delta); err != nil {
		s.fail.set("noting what a cell grew by", err) // it fits the cell, of which this is a part
	}
	s.weighAside(int64(a.delta.Size() - before))
}

// forgetGrowth makes that a cell is written whole.
func (s *Store) forgetGrowth(cell *cellmap.Locked[inMemory]) {
	if *cell.Meta()&hasAside == 0 {
		return
	}
	a := s.asides[cell.Shard()][cell.Key()]
	s.weighAside(-int64(a.delta.Size()))
	a.delta, a.growth = lattice.Cell{}, false
}

// takeAside gives what was put aside of a cell, if anything was, and forgets it.
func (s *Store) takeAside(cell *cellmap.Locked[inMemory]) *aside {
	if *cell.Meta()&hasAside == 0 {
		return nil
	}
	*cell.Meta() &^= hasAside
	asides := s.asides[cell.Shard()]
	a := asides[cell.Key()]
	delete(asides, cell.Key())
	s.weighAside(-asideBytes - int64(a.delta.Size()))
	return a
}
