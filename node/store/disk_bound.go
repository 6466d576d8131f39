package store

import (
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// purpose is what a write is for, as far as it matters whether there is room.
type purpose uint8

const (
	adding    purpose = iota // a write that is new
	repairing                // the merge of what another node has taken, or holds
)

// diskBound bounds the bytes on the disk. At the bound, new writes are
// refused; what other nodes have taken already is merged up to an eighth more.
// Deletes, and what else carries no value, are always taken: they make room.
type diskBound struct {
	limit  int64 // 0: none
	looked atomic.Int64
	since  atomic.Int64 // bytes handed to the engine since
}

// lookInterval is how often the engine is asked what it takes.
const lookInterval = time.Second

func (b *diskBound) bytes() int64 { return b.looked.Load() + b.since.Load() }

// admit gives an error for a delta for which there is no room.
func (s *Store) admit(delta lattice.Cell, why purpose) error {
	limit := s.bound.limit
	if limit == 0 {
		return nil
	}
	if why == repairing {
		limit += limit / 8
	}
	bytes := s.bound.bytes()
	if bytes < limit {
		return nil
	}
	if _, adds := delta.Value(); !adds {
		return nil
	}
	return mesh.Errorf(mesh.Overloaded, "write", "%d bytes are on the disk: expected less than %d; what is deleted makes room", bytes, limit)
}

// lookAtDisk asks the engine what it takes, until the store ends.
func (s *Store) lookAtDisk() {
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for {
		s.look()
		select {
		case <-ticker.C:
		case <-s.ending:
			return
		}
	}
}

func (s *Store) look() {
	if s.enter() != nil {
		return
	}
	defer s.leave()
	before := s.bound.since.Load()
	m := s.db.Metrics()
	// Logs that are kept to be written over are as good as room.
	s.bound.looked.Store(int64(m.DiskSpaceUsage() - m.WAL.ObsoletePhysicalSize))
	s.bound.since.Add(-before)
}
