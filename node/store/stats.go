package store

import (
	"context"

	"github.com/cockroachdb/pebble/v2"
)

// Stats are figures of a store.
type Stats struct {
	Keys        int64 // records, those of deleted keys too; too low while they are counted after a crash
	MemoryKeys  int   // cells in memory
	MemoryBytes int64 // that they take
	DiskBytes   uint64
	Damaged     int64 // times that a damaged record was met since the start
}

// Stats gives the figures as they are now.
func (s *Store) Stats() Stats {
	stats := Stats{
		Keys:        s.keys.Load(),
		MemoryKeys:  s.cells.Len(),
		MemoryBytes: s.cells.Bytes(),
		Damaged:     s.damaged.Load(),
	}
	if s.enter() == nil {
		stats.DiskBytes = s.db.Metrics().DiskSpaceUsage()
		s.leave()
	}
	return stats
}

// countKeys adds to the count the keys that were there when the store was
// opened; those that are created meanwhile count themselves.
func (s *Store) countKeys(ctx context.Context, snapshot *pebble.Snapshot) {
	defer snapshot.Close()
	first := []byte{cellRecord}
	records, err := snapshot.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: first, UpperBound: afterPrefix(first)})
	if err != nil {
		s.log.Warn("cannot count the keys", "err", err)
		return
	}
	defer records.Close()
	for valid := records.First(); valid && ctx.Err() == nil; valid = records.Next() {
		s.keys.Add(1)
	}
	if err := records.Error(); err != nil || ctx.Err() != nil {
		s.log.Warn("counting the keys ended early", "err", err)
		return
	}
	s.identityMu.Lock()
	s.identity.counted = true
	s.identityMu.Unlock()
}
