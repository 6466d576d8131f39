package store

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/cellmap"
)

// indexed is a cell as the index knows it.
type indexed struct {
	mesh.Entry
	key mesh.Key
}

// awaitIndex waits until what was there at the start is counted in.
func (s *Store) awaitIndex(ctx context.Context) error {
	select {
	case <-s.table.ready:
		return s.table.err
	case <-ctx.Done():
		return mesh.Errorf(mesh.KindOf(ctx.Err()), "read index", "%w", context.Cause(ctx))
	}
}

// eachIndexed visits the cells of a partition in order of id, from an id on,
// and brings the index up to date in passing.
func (s *Store) eachIndexed(ctx context.Context, p mesh.Partition, from uint64, visit func(indexed) (next bool, err error)) error {
	records, err := s.db.NewIterWithContext(ctx, &pebble.IterOptions{
		LowerBound: appendIndexFrom(nil, p, from),
		UpperBound: afterPrefix(appendIndexPrefix(nil, p)),
	})
	if err != nil {
		return err
	}
	defer records.Close()
	for next := records.First(); next; next = next && records.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		id, key, err := splitIndexKey(records.Key())
		if err != nil {
			return err
		}
		value, err := records.ValueAndErr()
		if err != nil {
			return err
		}
		digest, held := decodeDigest(value)
		if !held {
			if digest, held, err = s.computeDigest(key); err != nil {
				return err
			}
		}
		if held {
			if next, err = visit(indexed{Entry: mesh.Entry{ID: id, Digest: digest}, key: key}); err != nil {
				return err
			}
		}
	}
	return records.Error()
}

// computeDigest brings the index up to date with a cell, and reports whether
// there is one. A damaged cell has the digest 0, and stays marked as changed.
func (s *Store) computeDigest(key mesh.Key) (digest uint64, held bool, err error) {
	scratch := s.takeScratch()
	defer s.giveScratch(scratch)
	shard := s.cells.ShardOf(key)
	s.disks[shard].Lock()
	defer s.disks[shard].Unlock()
	locked := s.cells.Lock(key)
	defer locked.Unlock()
	if locked.Pinned() { // on disk there must not be the digest of more than is there
		return s.computePending(&locked)
	}
	scratch.key = appendCellKey(scratch.key[:0], key)
	if cell := locked.Peek(); cell != nil {
		scratch.value = cell.AppendBinary(scratch.value[:0])
	} else if held, err = s.readCell(scratch, key); err != nil || !held {
		return 0, errors.Is(err, errDamaged), ignoreDamage(err)
	}
	digest = digestOf(scratch.key, scratch.value)
	if err := s.db.Set(appendIndexKey(nil, key), appendDigest(scratch.value[:0], digest), pebble.NoSync); err != nil {
		return 0, false, err
	}
	if locked.Meta() != nil {
		*locked.Meta() &^= marked
	}
	return digest, true, nil
}

// computePending is computeDigest for a cell of which something is pending,
// which it writes together with the digest. The key's disk lock is held.
func (s *Store) computePending(locked *cellmap.Locked[inMemory]) (digest uint64, held bool, err error) {
	o := outgoing{batch: s.db.NewBatch()}
	key := locked.Key()
	if err = s.add(&o, locked); err == nil {
		digest = digestOf(appendCellKey(nil, key), locked.Peek().AppendBinary(nil))
		err = o.batch.Set(appendIndexKey(nil, key), appendDigest(nil, digest), nil)
	}
	if err != nil {
		s.fail.set("committing", err)
		return 0, false, s.fail.err()
	}
	locked.Unpin()
	*locked.Meta() &^= marked
	_, err = s.hand(&o, mesh.Memory)
	return digest, true, err
}

// readCell reads the value of a key's record, which is that of the scratch,
// into the scratch. The error wraps errDamaged if that is not a cell.
func (s *Store) readCell(scratch *scratch, key mesh.Key) (found bool, err error) {
	raw, closer, err := get(s.db, scratch.key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, s.readFailed(key, err)
	}
	defer closer.Close()
	if _, err := lattice.DecodeCell(raw); err != nil {
		return false, s.reportDamage(key, err)
	}
	scratch.value = append(scratch.value[:0], raw...)
	return true, nil
}

// peek gives the cell of a key, from memory or from the disk, without
// bringing it into memory or counting as use.
func (s *Store) peek(key mesh.Key) (lattice.Cell, bool, error) {
	locked := s.cells.Lock(key)
	defer locked.Unlock()
	return s.peekLocked(&locked, key)
}

func (s *Store) peekLocked(locked *cellmap.Locked[inMemory], key mesh.Key) (lattice.Cell, bool, error) {
	if locked.Peek() != nil {
		return locked.Share(), true, nil
	}
	scratch := s.takeScratch()
	defer s.giveScratch(scratch)
	scratch.key = appendCellKey(scratch.key[:0], key)
	found, err := s.readCell(scratch, key)
	if err != nil || !found {
		return lattice.Cell{}, false, err
	}
	cell, err := lattice.DecodeCell(scratch.value)
	return cell, err == nil, err
}
