package store

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// Merge merges a delta into the cell of a key and returns when that is as
// durable as d asks (the default is mesh.Logged). A delta of another kind
// gives a mesh.KindMismatch error, one with a stamp too far in the future
// mesh.Invalid; both change nothing. The store keeps nothing of the delta.
//
// With mesh.Memory the write is in memory when Merge returns, and on its way
// to the disk: it is there within Options.WriteBack, and before it is evicted.
// Of a large cell that grows, what is written is what it grew by.
func (s *Store) Merge(ctx context.Context, key mesh.Key, delta lattice.Cell, d mesh.Durability) (mesh.Merged, error) {
	if err := s.follow(delta); err != nil {
		return mesh.Merged{}, writeError("merge", key, err)
	}
	merged, err := s.write(ctx, key, d, repairing, func(lattice.Cell) (lattice.Cell, error) { return delta, nil })
	return merged, writeError("merge", key, err)
}

// Apply makes the delta of an operation from the cell as it is, merges it,
// and gives it for the other owners. A key that does not exist, or was
// deleted, is created with the kind. Errors are Merge's, and mesh.Invalid for
// an operation that the kind does not have.
func (s *Store) Apply(ctx context.Context, key mesh.Key, kind lattice.Kind, op lattice.Op, d mesh.Durability) (lattice.Cell, mesh.Merged, error) {
	var delta lattice.Cell
	merged, err := s.write(ctx, key, d, adding, func(have lattice.Cell) (lattice.Cell, error) {
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
	merged, err := s.write(ctx, key, d, adding, func(have lattice.Cell) (lattice.Cell, error) {
		if err := s.followTop(have); err != nil {
			return lattice.Cell{}, err
		}
		delta = lattice.NewCell(s.clock.Now(), lattice.Value{})
		return delta, nil
	})
	return delta, merged, writeError("delete", key, err)
}

// Await returns when all that was written of some keys before the call, or of
// all if none is named, is as durable as d asks: for writes made with
// mesh.Memory that are to be safe after all, with other work done meanwhile.
func (s *Store) Await(ctx context.Context, d mesh.Durability, keys ...mesh.Key) error {
	if d == mesh.Memory {
		return s.fail.err()
	}
	if err := s.enter(); err != nil {
		return err
	}
	err := s.awaitLogged(d, keys)
	s.leave()
	if err == nil && d == mesh.Synced {
		err = s.syncs.Wait(ctx)
	}
	return err
}

// awaitLogged hands what is pending to the engine. Unless who calls waits for
// the disk, it waits for the log.
func (s *Store) awaitLogged(d mesh.Durability, keys []mesh.Key) error {
	if d == mesh.Synced {
		d = mesh.Memory
	}
	var commit *pebble.Batch
	var err error
	if len(keys) == 0 {
		err = s.writeOutAll()
	} else {
		commit, err = s.writeOutTogether(keys, d)
	}
	switch {
	case err != nil || d == mesh.Memory:
		return err
	case commit == nil: // nothing was pending, but what was there may not be logged yet
		return s.flushLog()
	}
	return s.awaitLog(commit)
}

// write merges into a key's cell the delta that make gives, which sees the
// cell under the key's lock and must not change it.
func (s *Store) write(ctx context.Context, key mesh.Key, d mesh.Durability, why purpose, make func(have lattice.Cell) (lattice.Cell, error)) (mesh.Merged, error) {
	if d == mesh.DefaultDurability {
		d = mesh.Logged
	}
	if err := ctx.Err(); err != nil {
		return mesh.Merged{}, err
	}
	var merged mesh.Merged
	var err error
	if d == mesh.Memory {
		merged, err = s.writeInMemory(ctx, key, why, make)
	} else {
		merged, err = s.writeLogged(ctx, key, d, why, make)
	}
	if err != nil {
		return mesh.Merged{}, err
	}
	merged.Durability = d
	return merged, nil
}

func (s *Store) writeInMemory(ctx context.Context, key mesh.Key, why purpose, make func(have lattice.Cell) (lattice.Cell, error)) (mesh.Merged, error) {
	if err := s.awaitRoom(ctx); err != nil {
		return mesh.Merged{}, err
	}
	merged, through, err := s.mergeInMemory(key, why, make)
	s.cells.Trim()
	if through {
		err = s.writeThrough(key)
	}
	return merged, err
}

func (s *Store) writeLogged(ctx context.Context, key mesh.Key, d mesh.Durability, why purpose, make func(have lattice.Cell) (lattice.Cell, error)) (mesh.Merged, error) {
	if err := s.enter(); err != nil {
		return mesh.Merged{}, err
	}
	merged, commit, err := s.mergeLogged(key, d, why, make)
	s.cells.Trim()
	switch {
	case err != nil:
	case commit != nil:
		err = s.awaitLog(commit)
	case d == mesh.Logged: // nothing was pending, but what was there may not be logged yet
		err = s.flushLog()
	}
	s.leave()
	if err == nil && d == mesh.Synced {
		err = s.syncs.Wait(ctx)
	}
	return merged, err
}

// apply hands a batch to the engine. With a durability beyond memory it gives
// the batch back, to be awaited.
func (s *Store) apply(batch *pebble.Batch, d mesh.Durability) (*pebble.Batch, error) {
	defer s.syncs.Wrote()
	s.bound.since.Add(int64(batch.Len()))
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
	if err == nil {
		return nil
	}
	var known *mesh.Error
	if errors.As(err, &known) {
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
