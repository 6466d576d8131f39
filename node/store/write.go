package store

import (
	"context"
	"errors"
	"hash/maphash"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/cellmap"
)

// Merge merges a delta into the cell of a key and returns when that is as
// durable as d asks (the default is mesh.Logged). On disk only the delta is
// written. A delta of another kind gives a mesh.KindMismatch error, one with
// a stamp too far in the future mesh.Invalid; both change nothing. The store
// keeps nothing of the delta.
//
// Whatever the level, a write is in the engine when Merge returns, and cannot
// be evicted unwritten: mesh.Memory differs from mesh.Logged in not waiting
// for the log to reach the operating system.
func (s *Store) Merge(ctx context.Context, key mesh.Key, delta lattice.Cell, d mesh.Durability) (mesh.Merged, error) {
	merged, err := s.write(ctx, key, d, func(lattice.Cell) (lattice.Cell, error) {
		return delta, s.follow(delta)
	})
	return merged, writeError("merge", key, err)
}

// Apply makes the delta of an operation from the cell as it is, merges it,
// and gives it for the other owners. A key that does not exist, or was
// deleted, is created with the kind. Errors are Merge's, and mesh.Invalid for
// an operation that the kind does not have.
func (s *Store) Apply(ctx context.Context, key mesh.Key, kind lattice.Kind, op lattice.Op, d mesh.Durability) (lattice.Cell, mesh.Merged, error) {
	var delta lattice.Cell
	merged, err := s.write(ctx, key, d, func(have lattice.Cell) (lattice.Cell, error) {
		if err := s.followTop(have); err != nil {
			return lattice.Cell{}, err
		}
		var err error
		delta, err = have.Apply(kind, op, s.now(key))
		return delta, err
	})
	return delta, merged, writeError("put", key, err)
}

// Delete resets the cell of a key, whether there is one or not, and gives the
// delta for the other owners.
func (s *Store) Delete(ctx context.Context, key mesh.Key, d mesh.Durability) (lattice.Cell, mesh.Merged, error) {
	var delta lattice.Cell
	merged, err := s.write(ctx, key, d, func(have lattice.Cell) (lattice.Cell, error) {
		if err := s.followTop(have); err != nil {
			return lattice.Cell{}, err
		}
		delta = lattice.NewCell(s.clock.Now(), lattice.Value{})
		return delta, nil
	})
	return delta, merged, writeError("delete", key, err)
}

// Await returns when all that was written before the call is as durable as d
// asks: for writes made with mesh.Memory that are to be safe after all, with
// other work done meanwhile.
func (s *Store) Await(ctx context.Context, d mesh.Durability) error {
	switch d {
	case mesh.Memory:
		return s.fail.err()
	case mesh.Synced:
		return s.syncs.Wait(ctx)
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	return s.flushLog()
}

// write merges into a key's cell the delta that make gives, which sees the
// cell under the key's lock and must not change it.
func (s *Store) write(ctx context.Context, key mesh.Key, d mesh.Durability, make func(have lattice.Cell) (lattice.Cell, error)) (mesh.Merged, error) {
	if d == mesh.DefaultDurability {
		d = mesh.Logged
	}
	if err := ctx.Err(); err != nil {
		return mesh.Merged{}, err
	}
	if err := s.enter(); err != nil {
		return mesh.Merged{}, err
	}
	merged, err := s.writeLogged(key, d, make)
	s.leave()
	if err == nil && d == mesh.Synced {
		err = s.syncs.Wait(ctx)
	}
	if err != nil {
		return mesh.Merged{}, err
	}
	merged.Durability = d
	return merged, nil
}

// writeLogged is write up to the durability of the log.
func (s *Store) writeLogged(key mesh.Key, d mesh.Durability, make func(have lattice.Cell) (lattice.Cell, error)) (mesh.Merged, error) {
	cell := s.cells.Lock(key)
	merged, delta, commit, err := s.mergeLocked(&cell, key, d, make)
	if err == nil && merged.Grew && s.onGrow != nil {
		// Taken before the cell's lock is given back, so that the next
		// delta of this key is told after this one.
		grow := &s.growMu[maphash.String(s.seed, key.Name)%uint64(len(s.growMu))]
		grow.Lock()
		cell.Unlock()
		s.onGrow(key, delta)
		grow.Unlock()
	} else {
		cell.Unlock()
	}
	s.cells.Trim()
	switch {
	case err != nil || d == mesh.Memory:
		return merged, err
	case commit == nil: // nothing new, but what was there may not be logged yet
		return merged, s.flushLog()
	}
	return merged, s.awaitLog(commit)
}

// mergeLocked merges into memory and hands the delta to the engine. With a
// durability beyond memory the commit, if there is one, is still to be waited for.
func (s *Store) mergeLocked(cell *cellmap.Locked[inMemory], key mesh.Key, d mesh.Durability, make func(have lattice.Cell) (lattice.Cell, error)) (merged mesh.Merged, delta lattice.Cell, commit *pebble.Batch, err error) {
	found, err := s.load(cell, key)
	damaged := errors.Is(err, errDamaged)
	if err != nil && !damaged {
		return merged, delta, nil, err
	}
	var have lattice.Cell
	if found {
		have = *cell.Cell()
	}
	delta, err = make(have)
	if err != nil {
		return merged, delta, nil, err
	}
	wasDeleted := have.Deleted()
	merged.Created = !found
	merged.Dominated = have.Dominates(delta)
	if found {
		merged.Grew, err = cell.Mutable().Merge(delta)
	} else {
		merged.Grew = !delta.IsZero()
		if merged.Grew {
			cell.Insert(delta.Clone(), inMemory{})
		}
	}
	if err != nil || !merged.Grew {
		return merged, delta, nil, err
	}
	written, whole := toWrite(have, *cell.Cell(), delta)
	commit, err = s.commit(change{
		key: key, delta: written, beside: cell.Meta(),
		replace: damaged || whole, create: !found && !damaged,
		die: cell.Cell().Deleted() && !wasDeleted, revive: wasDeleted && !cell.Cell().Deleted(),
		expiresBefore: expiryOf(have), expiresAfter: expiryOf(*cell.Cell()),
	}, d)
	if err != nil { // memory now holds what the disk does not
		s.fail.set("committing", err)
		err = s.fail.err()
	}
	return merged, delta, commit, err
}

// change is what a commit does to a record.
type change struct {
	key     mesh.Key
	delta   lattice.Cell
	replace bool      // the record is damaged: the delta takes its place
	create  bool      // there was no record
	die     bool      // the key is deleted now, and was not
	revive  bool      // the key was deleted, and is not now
	beside  *inMemory // what stands beside the cell in memory

	expiresBefore, expiresAfter expiry // of the whole cell
}

// commit hands a change to the engine, and notes it in the index unless that
// has the cell as changed already.
func (s *Store) commit(c change, d mesh.Durability) (*pebble.Batch, error) {
	scratch := s.takeScratch()
	defer s.giveScratch(scratch)
	scratch.key = appendCellKey(scratch.key[:0], c.key)
	scratch.value = c.delta.AppendBinary(scratch.value[:0])
	batch := s.db.NewBatch()
	var err error
	if c.replace {
		err = batch.Set(scratch.key, scratch.value, nil)
	} else {
		err = batch.Merge(scratch.key, scratch.value, nil)
	}
	if err == nil {
		err = noteExpiry(batch, c)
	}
	if err == nil {
		err = s.commitBeside(batch, scratch, c)
	}
	if err != nil {
		return nil, err
	}
	commit, err := s.apply(batch, d)
	if c.replace && err == nil {
		s.damagedKeys.remove(c.key)
	}
	if err == nil && !c.beside.marked {
		c.beside.marked = true
		s.table.changed(partitionOfIndex(scratch.key), c.create)
	}
	return commit, err
}

// commitBeside adds what goes with a change to its batch, and leaves the key
// of the index record, if that is one of them, in the scratch.
func (s *Store) commitBeside(batch *pebble.Batch, scratch *scratch, c change) error {
	var err error
	switch {
	case c.die:
		err = batch.Set(appendDeletedKey(nil, c.key), nil, nil)
	case c.revive:
		err = batch.Delete(appendDeletedKey(nil, c.key), nil)
	}
	if err == nil && !c.beside.marked {
		scratch.key = appendIndexKey(scratch.key[:0], c.key)
		err = batch.Set(scratch.key, nil, nil)
	}
	return err
}

// apply hands a batch to the engine. With a durability beyond memory it gives
// the batch back, to be awaited.
func (s *Store) apply(batch *pebble.Batch, d mesh.Durability) (*pebble.Batch, error) {
	defer s.syncs.Wrote()
	if d == mesh.Memory {
		if err := s.db.Apply(batch, pebble.NoSync); err != nil {
			return nil, err
		}
		return nil, batch.Close()
	}
	return batch, s.db.ApplyNoSyncWait(batch, pebble.Sync)
}

// awaitLog returns when a commit has reached the operating system.
func (s *Store) awaitLog(commit *pebble.Batch) error {
	if err := commit.SyncWait(); err != nil {
		s.fail.set("writing the log", err)
	}
	if err := s.fail.err(); err != nil {
		return err
	}
	return commit.Close()
}

// writeError gives the error of a write its kind and operation.
func writeError(op string, key mesh.Key, err error) error {
	var known *mesh.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	}
	kind := mesh.KindOf(err)
	switch {
	case errors.Is(err, lattice.ErrKindMismatch):
		kind = mesh.KindMismatch
	case errors.Is(err, lattice.ErrNoSuchVerb), errors.Is(err, lattice.ErrInvalid):
		kind = mesh.Invalid
	}
	return mesh.Errorf(kind, op+" "+key.String(), "%w", err)
}
