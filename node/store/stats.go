package store

// Stats are figures of a store.
type Stats struct {
	Keys        int64 // records, those of deleted keys too; too low while the index is read after a crash
	MemoryKeys  int   // cells in memory
	MemoryBytes int64 // that they take
	Pending     int64 // bytes of them that are yet to be written to the disk
	WrittenBack int64 // cells written to the disk since the start
	DiskBytes   uint64
	Damaged     int64 // damaged records met since the start
	Sizes       Sizes // of what was written
}

// Stats gives the figures as they are now.
func (s *Store) Stats() Stats {
	stats := Stats{
		Keys:        s.table.total() + s.fresh.Load(),
		MemoryKeys:  s.cells.Len(),
		MemoryBytes: s.cells.Bytes(),
		Pending:     s.pendingBytes(),
		WrittenBack: s.writtenBack.Load(),
		Damaged:     s.damaged.Load(),
		Sizes:       s.sizes.all(),
	}
	if s.enter() == nil {
		stats.DiskBytes = s.db.Metrics().DiskSpaceUsage()
		s.leave()
	}
	return stats
}
