package store

import (
	"math/bits"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/cellmap"
)

// writeOutTogether hands what is pending of some keys to the engine, in as few
// commits as it goes into: what a commit costs hardly depends on how much is in
// it. With a durability beyond memory the last one, unless nothing was pending,
// is still to be waited for; the log has those before it then, too.
func (s *Store) writeOutTogether(keys []mesh.Key, d mesh.Durability) (last *pebble.Batch, err error) {
	for looked := 0; len(keys) > 0 && err == nil; keys = keys[looked:] {
		looked, last, err = s.writeOutSome(keys, d)
	}
	return last, err
}

// writeOutSome is one commit of writeOutTogether: of as many keys as go into it.
func (s *Store) writeOutSome(keys []mesh.Key, d mesh.Durability) (looked int, commit *pebble.Batch, err error) {
	most := min(len(keys), batchCells)
	shards := s.shardsOf(keys[:most])
	shards.each(func(n int) { s.disks[n].Lock() })
	defer shards.each(func(n int) { s.disks[n].Unlock() })
	o := outgoing{batch: s.db.NewBatch(), hurries: true, taken: make([]cellmap.Taken, 0, most)}
	for looked < most && o.batch.Len() < batchBytes && err == nil {
		err = s.addPending(&o, keys[looked])
		looked++
	}
	switch {
	case err != nil:
		s.fail.set("committing", err)
		return looked, nil, s.fail.err()
	case len(o.taken) == 0:
		return looked, nil, o.batch.Close()
	}
	if looked < len(keys) {
		d = mesh.Memory
	}
	commit, err = s.hand(&o, d)
	return looked, commit, err
}

// addPending adds what is pending of a key, if anything is.
func (s *Store) addPending(o *outgoing, key mesh.Key) error {
	cell := s.cells.Lock(key)
	defer cell.Unlock()
	if !cell.Pinned() {
		return nil
	}
	err := s.add(o, &cell)
	o.taken = cell.Take(o.taken)
	return err
}

// shardSet is a set of shards. Whoever locks several does so in the order of each.
type shardSet [cellmap.Shards / 64]uint64

func (s *Store) shardsOf(keys []mesh.Key) (set shardSet) {
	for _, key := range keys {
		n := s.cells.ShardOf(key)
		set[n/64] |= 1 << (n % 64)
	}
	return set
}

func (s *shardSet) each(visit func(shard int)) {
	for i, left := range s {
		for ; left != 0; left &= left - 1 {
			visit(64*i + bits.TrailingZeros64(left))
		}
	}
}
