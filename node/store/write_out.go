package store

import (
	"context"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/cellmap"
)

// outgoing is what is pending of some cells on its way to the engine. Who has
// one holds the disk locks of their shards, from before the cells are
// taken until they are done: so what is written of one cell is written in
// order, and a cell is not let go before it can be read again.
type outgoing struct {
	batch    *pebble.Batch
	hurries  bool // somebody waits for it
	taken    []cellmap.Taken
	changed  []changed
	replaced []mesh.Key // damaged records
}

// changed is a partition of which the index has a cell as changed now.
type changed struct {
	partition mesh.Partition
	created   bool
}

// One batch of the write-back has so many bytes, and of so many cells.
const (
	batchBytes = 256 << 10
	batchCells = 512
)

// add adds what is pending of a cell to the batch.
func (s *Store) add(o *outgoing, cell *cellmap.Locked[inMemory]) error {
	pending := *cell.Peek()
	before, whole := expiryOf(pending), true
	if a := s.takeAside(cell); a != nil {
		before = a.expires
		if a.growth {
			pending, whole = a.delta, false
		}
	}
	return s.put(o, cell, pending, whole, before)
}

// put adds what is pending of a cell, which may be the whole, to the batch,
// with the records that stand beside the cell. It expired before as said.
func (s *Store) put(o *outgoing, cell *cellmap.Locked[inMemory], pending lattice.Cell, whole bool, before expiry) error {
	scratch := s.takeScratch()
	defer s.giveScratch(scratch)
	key, meta := cell.Key(), cell.Meta()
	scratch.key = appendCellKey(scratch.key[:0], key)
	scratch.value = pending.AppendBinary(scratch.value[:0])
	s.sizes.count(len(scratch.value))
	var err error
	if *meta&replaces != 0 {
		o.replaced = append(o.replaced, key)
		err = o.batch.Set(scratch.key, scratch.value, nil)
	} else {
		err = o.batch.Merge(scratch.key, scratch.value, nil)
	}
	if err == nil {
		err = noteExpiry(o.batch, key, before, expiryOf(*cell.Peek()))
	}
	if buriedNow := cell.Peek().Deleted(); err == nil && buriedNow != (*meta&buried != 0) {
		err = noteDeleted(o.batch, key, buriedNow)
		*meta ^= buried
	}
	if err == nil {
		err = o.index(scratch, cell, whole)
	}
	if *meta&fresh != 0 {
		s.fresh.Add(-1)
	}
	*meta &^= fresh | replaces
	return err
}

// index adds to the batch that a cell has changed, or its digest: where nobody
// waits for the batch, and the whole cell, which the scratch has, is at hand.
func (o *outgoing) index(scratch *scratch, cell *cellmap.Locked[inMemory], whole bool) error {
	meta := cell.Meta()
	whole = whole && !o.hurries
	if !whole && *meta&marked != 0 {
		return nil
	}
	var digest []byte
	if whole {
		digest = appendDigest(nil, digestOf(scratch.key, scratch.value))
		*meta &^= marked
	} else {
		*meta |= marked
	}
	scratch.key = appendIndexKey(scratch.key[:0], cell.Key())
	o.changed = append(o.changed, changed{partitionOfIndex(scratch.key), *meta&fresh != 0})
	return o.batch.Set(scratch.key, digest, nil)
}

// hand hands the batch to the engine. With a durability beyond memory it gives
// the batch back, to be awaited.
func (s *Store) hand(o *outgoing, d mesh.Durability) (commit *pebble.Batch, err error) {
	commit, err = s.apply(o.batch, d)
	if err != nil { // memory now holds what the disk does not
		s.fail.set("committing", err)
		return nil, s.fail.err()
	}
	for _, c := range o.changed {
		s.table.changed(c.partition, c.created)
	}
	for _, key := range o.replaced {
		s.damagedKeys.remove(key)
	}
	s.cells.Done(o.taken)
	s.writtenBack.Add(int64(len(o.taken)))
	return commit, nil
}

// writeOut hands what is pending of a key to the engine. With a durability
// beyond memory the commit, unless nothing was pending, is still to be waited for.
func (s *Store) writeOut(key mesh.Key, d mesh.Durability) (commit *pebble.Batch, err error) {
	return s.writeOutTogether([]mesh.Key{key}, d)
}

// writeThrough is writeOut for who has not entered and waits for nothing.
func (s *Store) writeThrough(key mesh.Key) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	_, err := s.writeOut(key, mesh.Memory)
	return err
}

// writeOutShard hands to the engine, a batch at a time, what was pending of a
// shard when it was called.
func (s *Store) writeOutShard(shard int) error {
	for left, first := s.cells.Pins(shard), true; left > 0 || first; first = false {
		looked, err := s.writeOutBatch(shard, min(left, batchCells))
		if err != nil {
			return err
		}
		if looked == 0 {
			return nil // others took the rest
		}
		left -= looked
	}
	return nil
}

func (s *Store) writeOutBatch(shard, most int) (looked int, err error) {
	disk := &s.disks[shard]
	disk.Lock() // also to wait for what another has taken
	defer disk.Unlock()
	if most == 0 {
		return 0, nil
	}
	o := outgoing{batch: s.db.NewBatch()}
	o.taken, looked = s.cells.TakePinned(shard, most, nil, func(cell *cellmap.Locked[inMemory]) bool {
		err = s.add(&o, cell)
		return err == nil && o.batch.Len() < batchBytes
	})
	switch {
	case err != nil:
		s.fail.set("committing", err)
		return looked, s.fail.err()
	case len(o.taken) == 0:
		return looked, o.batch.Close()
	}
	_, err = s.hand(&o, mesh.Memory)
	return looked, err
}

// writeOutAll hands to the engine all that was pending when it was called.
func (s *Store) writeOutAll() error {
	for shard := range s.disks {
		if err := s.writeOutShard(shard); err != nil {
			return err
		}
	}
	return nil
}

// settled writes out all that is pending, for who is about to read the engine
// and has not entered.
func (s *Store) settled(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	return s.writeOutAll()
}

// writeOutThose writes out what is pending of the keys that match, for who has entered.
func (s *Store) writeOutThose(match func(key mesh.Key, beside inMemory) bool) error {
	var keys []mesh.Key
	s.cells.EachPinned(func(key mesh.Key, beside inMemory) {
		if match(key, beside) {
			keys = append(keys, key)
		}
	})
	_, err := s.writeOutTogether(keys, mesh.Memory)
	return err
}
