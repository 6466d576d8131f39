package store

import (
	"context"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/mesh"
)

// count is what the index says of all partitions.
type count struct {
	digests [mesh.Partitions]uint64
	keys    [mesh.Partitions]int64
	stale   [mesh.Partitions]bool
}

// countIn brings what was on disk at the start into the table. It reads the
// index and no cell. Changes made meanwhile are counted by who makes them.
func (s *Store) countIn(ctx context.Context, snapshot *pebble.Snapshot) {
	defer close(s.table.ready)
	err := s.countSnapshot(ctx, snapshot)
	if pebble.IsCorruptionError(err) || err == nil && s.table.cut.Load() {
		err = s.countAgain(ctx)
	}
	if err != nil {
		s.table.err = mesh.Errorf(mesh.Unavailable, "read index", "%w", err)
		s.log.Warn("reading the index ended early", "err", err)
	}
}

func (s *Store) countSnapshot(ctx context.Context, snapshot *pebble.Snapshot) error {
	defer snapshot.Close()
	c, err := countIndex(ctx, snapshot)
	if err != nil {
		return err
	}
	s.table.computing.Lock()
	defer s.table.computing.Unlock()
	for p := range mesh.Partitions {
		s.table.digests[p] = c.digests[p]
		s.table.keys[p].Add(c.keys[p])
		if c.stale[p] {
			s.table.stale[p].Store(true)
		}
	}
	return nil
}

// countAgain counts with all calls held back, after the index was mended.
func (s *Store) countAgain(ctx context.Context) error {
	if err := s.mends.Wait(ctx); err != nil {
		return err
	}
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.closed.Load() {
		return errClosed
	}
	return s.recount(ctx)
}

// recount makes the table anew. It is called with all calls held back.
func (s *Store) recount(ctx context.Context) error {
	s.table.cut.Store(true)
	c, err := countIndex(ctx, s.db)
	if err != nil {
		return err
	}
	s.table.computing.Lock()
	defer s.table.computing.Unlock()
	for p := range mesh.Partitions {
		s.table.digests[p] = c.digests[p]
		s.table.keys[p].Store(c.keys[p])
		s.table.stale[p].Store(c.stale[p])
	}
	return nil
}

func countIndex(ctx context.Context, reader pebble.Reader) (*count, error) {
	all := kind(indexRecord)
	records, err := reader.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: all.start, UpperBound: all.end})
	if err != nil {
		return nil, err
	}
	defer records.Close()
	c := new(count)
	for valid := records.First(); valid; valid = records.Next() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		value, err := records.ValueAndErr()
		if err != nil {
			return nil, err
		}
		p := partitionOfIndex(records.Key())
		digest, known := decodeDigest(value)
		c.digests[p] ^= digest
		c.keys[p]++
		c.stale[p] = c.stale[p] || !known
	}
	return c, records.Error()
}
