package store

import (
	"context"
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// Records of deleted keys beside their cells, in order of id, let them be
// found without reading what is not deleted.

func appendDeletedFrom(dst []byte, id uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, deletedRecord), id)
}

func appendDeletedKey(dst []byte, key mesh.Key) []byte {
	dst = append(appendDeletedFrom(dst, key.ID().Prefix()), key.Namespace...)
	return append(append(dst, 0), key.Name...)
}

// noteDeleted has a batch note that a key is deleted, or is not any more.
func noteDeleted(batch *pebble.Batch, key mesh.Key, deleted bool) error {
	if deleted {
		return batch.Set(appendDeletedKey(nil, key), nil, nil)
	}
	return batch.Delete(appendDeletedKey(nil, key), nil)
}

// splitDeletedKey reads what appendDeletedKey writes.
func splitDeletedKey(record []byte) (id uint64, key mesh.Key, err error) {
	const head = 1 + 8
	if len(record) < head {
		return 0, mesh.Key{}, mesh.Errorf(mesh.Internal, "tombstone", "record key of %d bytes: expected at least %d", len(record), head)
	}
	key, err = mesh.KeyFromPath(string(record[head:]))
	return binary.BigEndian.Uint64(record[1:]), key, err
}

// Tombstones gives the deleted keys in order of ID (mesh.ID.Prefix, so that
// those of a partition are together), from an ID on: up to limit, and all that
// share the last ID. Unless it is done, next is where to go on.
func (s *Store) Tombstones(ctx context.Context, from uint64, limit int) (dead []mesh.Tombstone, next uint64, done bool, err error) {
	err = s.reading(ctx, func() (err error) {
		dead, next, done, err = s.tombstones(ctx, from, limit)
		return err
	})
	return dead, next, done, tombstoneError(err)
}

func (s *Store) tombstones(ctx context.Context, from uint64, limit int) (dead []mesh.Tombstone, next uint64, done bool, err error) {
	records, err := s.db.NewIterWithContext(ctx, &pebble.IterOptions{
		LowerBound: appendDeletedFrom(nil, from), UpperBound: afterPrefix([]byte{deletedRecord}),
	})
	if err != nil {
		return nil, 0, false, err
	}
	defer records.Close()
	var last uint64
	for valid := records.First(); valid; valid = records.Next() {
		id, key, err := splitDeletedKey(records.Key())
		if err != nil {
			return nil, 0, false, err
		}
		if len(dead) >= limit && id != last {
			return dead, id, false, nil
		}
		last = id
		tombstone, ok, err := s.tombstone(key)
		if err != nil {
			return nil, 0, false, err
		}
		if ok {
			dead = append(dead, tombstone)
		}
	}
	return dead, 0, true, records.Error()
}

// Tombstone gives the mark of a deleted key, and whether anything is held of
// the key at all: where something is and the mark is zero, it is not deleted.
// A damaged record is an error.
func (s *Store) Tombstone(key mesh.Key) (dead mesh.Tombstone, held bool, err error) {
	if err := s.enter(); err != nil {
		return dead, false, err
	}
	defer s.leave()
	cell, held, err := s.peek(key)
	if err != nil || !held || !cell.Deleted() {
		return dead, held, tombstoneError(err)
	}
	return tombstoneOf(key, cell), true, nil
}

func tombstoneOf(key mesh.Key, cell lattice.Cell) mesh.Tombstone {
	record := appendCellKey(nil, key)
	return mesh.Tombstone{Key: key, Digest: digestOf(record, cell.AppendBinary(nil)), Since: cell.ResetAt()}
}

// tombstone describes the cell of a key, if it is deleted still.
func (s *Store) tombstone(key mesh.Key) (mesh.Tombstone, bool, error) {
	cell, ok, err := s.peek(key)
	if err != nil || !ok || !cell.Deleted() {
		return mesh.Tombstone{}, false, ignoreDamage(err)
	}
	return tombstoneOf(key, cell), true, nil
}

// Collect forgets a deleted key if its cell still has the digest, and reports
// whether it did. The caller has made sure that all owners have the delete and
// that nobody holds an older write that could come back. After a crash the
// tombstone may be there again.
func (s *Store) Collect(ctx context.Context, key mesh.Key, digest uint64) (bool, error) {
	if err := s.awaitIndex(ctx); err != nil {
		return false, err
	}
	if err := s.enter(); err != nil {
		return false, err
	}
	defer s.leave()
	dead, ok, err := s.tombstone(key)
	if err != nil || !ok || dead.Digest != digest {
		return false, tombstoneError(err)
	}
	if _, _, err := s.computeDigest(key); err != nil {
		return false, tombstoneError(err)
	}
	collected, err := s.removeIf(key, digest)
	return collected, tombstoneError(err)
}

func tombstoneError(err error) error { return diskError("tombstones", err) }
