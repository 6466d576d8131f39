package store

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// Remove forgets a key if its cell is still the one given, and reports whether
// it did. After a crash the cell may be there again.
func (s *Store) Remove(ctx context.Context, key mesh.Key, cell lattice.Cell) (bool, error) {
	if err := s.awaitIndex(ctx); err != nil {
		return false, err
	}
	if err := s.enter(); err != nil {
		return false, err
	}
	defer s.leave()
	if _, _, err := s.computeDigest(key); err != nil {
		return false, diskError("remove "+key.String(), err)
	}
	removed, err := s.removeIf(key, digestOf(appendCellKey(nil, key), cell.AppendBinary(nil)))
	if removed {
		s.table.countDrops(key.Partition(), 1)
	}
	return removed, diskError("remove "+key.String(), err)
}

// removeIf removes the cell of a key if it has the digest, and reports whether it did.
func (s *Store) removeIf(key mesh.Key, digest uint64) (bool, error) {
	disk := &s.disks[s.cells.ShardOf(key)]
	disk.Lock()
	defer disk.Unlock()
	locked := s.cells.Lock(key)
	defer locked.Unlock()
	if locked.Pinned() { // it changed
		return false, nil
	}
	record := appendIndexKey(nil, key)
	value, closer, err := get(s.db, record)
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
	err = errors.Join(
		batch.Delete(appendCellKey(nil, key), nil),
		batch.Delete(record, nil),
		batch.Delete(appendDeletedKey(nil, key), nil))
	if err != nil {
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
