package store

import (
	"cmp"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/cellmap"
)

// placedKey is a key and the shard in which it lies.
type placedKey struct {
	key   mesh.Key
	shard int
}

// writeOutTogether hands what is pending of some keys to the engine, in as few
// commits as it goes into: what a commit costs hardly depends on how much is in
// it. With a durability beyond memory the last one, unless nothing was pending,
// is still to be waited for; the log has those before it then, too.
func (s *Store) writeOutTogether(keys []mesh.Key, d mesh.Durability) (last *pebble.Batch, err error) {
	left := make([]placedKey, len(keys))
	for i, key := range keys {
		left[i] = placedKey{key, s.cells.ShardOf(key)}
	}
	// Whoever locks several shards does so in their order.
	slices.SortFunc(left, func(a, b placedKey) int { return cmp.Compare(a.shard, b.shard) })
	for looked := 0; len(left) > 0 && err == nil; left = left[looked:] {
		looked, last, err = s.writeOutSome(left, d)
	}
	return last, err
}

// writeOutSome is one commit of writeOutTogether: of as many keys as go into it.
func (s *Store) writeOutSome(keys []placedKey, d mesh.Durability) (looked int, commit *pebble.Batch, err error) {
	most := min(len(keys), batchCells)
	defer s.lockDisks(keys[:most])()
	o := outgoing{batch: s.db.NewBatch(), hurries: true}
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

// lockDisks takes the disk locks of the shards in which keys lie, which are in
// the order of these. unlock gives them back.
func (s *Store) lockDisks(keys []placedKey) (unlock func()) {
	each := func(visit func(shard int)) {
		for i, k := range keys {
			if i == 0 || keys[i-1].shard != k.shard {
				visit(k.shard)
			}
		}
	}
	each(func(shard int) { s.disks[shard].Lock() })
	return func() { each(func(shard int) { s.disks[shard].Unlock() }) }
}

// addPending adds what is pending of a key, if anything is.
func (s *Store) addPending(o *outgoing, at placedKey) error {
	cell := s.cells.Lock(at.key)
	defer cell.Unlock()
	if !cell.Pinned() {
		return nil
	}
	err := s.add(o, &cell)
	if n := len(o.taken); n == 0 || o.taken[n-1].shard != at.shard {
		o.taken = append(o.taken, takenCells{at.shard, make([]cellmap.Taken, 0, 1)})
	}
	taken := &o.taken[len(o.taken)-1]
	taken.cells = cell.Take(taken.cells)
	return err
}
