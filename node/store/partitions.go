package store

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/mesh"
)

// Digests gives, for each partition, what Digest does. The first call after
// many changes reads what changed.
func (s *Store) Digests(ctx context.Context) ([]uint64, error) {
	digests := make([]uint64, mesh.Partitions)
	for p := range digests {
		var err error
		if digests[p], err = s.Digest(ctx, mesh.Partition(p)); err != nil {
			return nil, err
		}
	}
	return digests, nil
}

// Digest gives the XOR of the digests of a partition's cells, those of
// deleted keys too: 0 for an empty partition. Two stores that hold the same
// have the same digest. All writes that returned before the call are in it;
// those that go on beside it may be or not.
func (s *Store) Digest(ctx context.Context, p mesh.Partition) (uint64, error) {
	if err := s.enterIndexed(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	s.table.computing.Lock()
	defer s.table.computing.Unlock()
	if !s.table.stale[p].Swap(false) {
		return s.table.digests[p], nil
	}
	var digest uint64
	err := s.eachIndexed(ctx, p, 0, func(cell indexed) (bool, error) {
		digest ^= cell.Digest
		return true, nil
	})
	if err != nil {
		s.table.stale[p].Store(true)
		return 0, partitionError("digest", p, err)
	}
	s.table.digests[p] = digest
	return digest, nil
}

// Held lists the partitions of which there is at least one cell. Unlike a
// digest of 0, which two cells could have by chance, it is exact.
func (s *Store) Held(ctx context.Context) ([]mesh.Partition, error) {
	if err := s.enterIndexed(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	var held []mesh.Partition
	for p := range mesh.Partition(mesh.Partitions) {
		if s.table.keys[p].Load() > 0 {
			held = append(held, p)
		}
	}
	return held, nil
}

// Entries tells of the cells of a partition, in order of ID.
func (s *Store) Entries(ctx context.Context, p mesh.Partition) ([]mesh.Entry, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	var entries []mesh.Entry
	err := s.eachIndexed(ctx, p, 0, func(cell indexed) (bool, error) {
		entries = append(entries, cell.Entry)
		return true, nil
	})
	return entries, partitionError("list", p, err)
}

// Differing gives the cells of a partition that are not in have, with the
// same ID and digest, in order of ID from an ID on, until they come to about
// maxBytes of memory: at least one cell, and all that share its ID. Unless it
// is done, next is where to go on. A damaged cell is left out. The cells must
// not be changed.
func (s *Store) Differing(ctx context.Context, p mesh.Partition, have []mesh.Entry, from uint64, maxBytes int) (records []mesh.Record, next uint64, done bool, err error) {
	if err := s.enter(); err != nil {
		return nil, 0, false, err
	}
	defer s.leave()
	known := make(map[mesh.Entry]struct{}, len(have))
	for _, entry := range have {
		known[entry] = struct{}{}
	}
	bytes, last := 0, uint64(0)
	done = true
	err = s.eachIndexed(ctx, p, from, func(cell indexed) (bool, error) {
		if _, ok := known[cell.Entry]; ok {
			return true, nil
		}
		if bytes >= maxBytes && len(records) > 0 && cell.ID != last {
			next, done = cell.ID, false
			return false, nil
		}
		last = cell.ID
		held, ok, err := s.peek(cell.key)
		if errors.Is(err, errDamaged) {
			return true, nil
		}
		if ok {
			records = append(records, mesh.Record{Key: cell.key, Cell: held})
			bytes += held.Size()
		}
		return true, err
	})
	if err != nil {
		return nil, 0, false, partitionError("compare", p, err)
	}
	return records, next, done, nil
}

// DropPartition removes the cells of a partition if its digest is the given
// one, and reports whether the partition is empty now. A cell that is written
// or created meanwhile stays, and the answer is false, though the others are
// gone. The caller has made sure that other nodes hold what has the digest.
// After a crash the cells may be there again.
func (s *Store) DropPartition(ctx context.Context, p mesh.Partition, digest uint64) (bool, error) {
	if err := s.enterIndexed(ctx); err != nil {
		return false, err
	}
	defer s.leave()
	var cells []indexed
	var found uint64
	err := s.eachIndexed(ctx, p, 0, func(cell indexed) (bool, error) {
		cells, found = append(cells, cell), found^cell.Digest
		return true, nil
	})
	if err != nil || found != digest {
		return false, partitionError("drop", p, err)
	}
	if len(cells) > 0 {
		s.table.countDrops(p, 1)
	}
	for _, cell := range cells {
		if _, err := s.removeIf(cell.key, cell.Digest); err != nil {
			return false, partitionError("drop", p, err)
		}
	}
	return s.table.keys[p].Load() == 0, nil
}

// removeIf removes the cell of a key if it has the digest, and reports whether it did.
func (s *Store) removeIf(key mesh.Key, digest uint64) (bool, error) {
	locked := s.cells.Lock(key)
	defer locked.Unlock()
	record := appendIndexKey(nil, key)
	value, closer, err := s.db.Get(record)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	now, known := decodeDigest(value)
	if err := closer.Close(); err != nil || !known || now != digest {
		return false, err
	}
	batch := s.db.NewBatch()
	if err := errors.Join(batch.Delete(appendCellKey(nil, key), nil), batch.Delete(record, nil)); err != nil {
		return false, err
	}
	if _, err := s.apply(batch, mesh.Memory); err != nil {
		s.fail.set("committing", err)
		return false, s.fail.err()
	}
	locked.Remove()
	s.table.removed(partitionOfIndex(record))
	return true, nil
}

// partitionError gives the error of an operation on a partition its kind and operation.
func partitionError(op string, p mesh.Partition, err error) error {
	if err == nil {
		return nil
	}
	kind := mesh.KindOf(err)
	if kind == mesh.Internal {
		kind = mesh.Unavailable
	}
	return mesh.Errorf(kind, op+" partition "+p.String(), "%w", err)
}
