package store

import (
	"context"
	"sync"
	"time"
)

// The write-back brings to the engine what is pending in memory, within an
// interval after it was written. Between its batches it rests, so that it
// leaves most of the machine to the callers, while little is pending.
const (
	pendingShare = 2 // one of so many parts of the memory may be pending
	restShare    = 3 // so many times as long as it took to write does it rest
)

// pendingBytes is the memory that is yet to be written.
func (s *Store) pendingBytes() int64 { return s.cells.PinnedBytes() + s.asideBytes.Load() }

// awaitRoom waits while too much is pending.
func (s *Store) awaitRoom(ctx context.Context) error {
	for s.pendingBytes() > s.pendingLimit {
		room := s.room.next()
		s.writeBack.Hurry()
		if s.pendingBytes() <= s.pendingLimit {
			return nil
		}
		if err := s.fail.err(); err != nil {
			return err
		}
		select {
		case <-room:
		case <-s.ending:
			return errClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// writeBackAll is one round of the write-back.
func (s *Store) writeBackAll() error {
	defer s.room.made()
	if err := s.enter(); err != nil {
		return err
	}
	s.leave()
	for shard := range s.disks {
		if err := s.writeBackShard(shard); err != nil {
			return err
		}
	}
	s.cells.Trim()
	return nil
}

func (s *Store) writeBackShard(shard int) error {
	for left := s.cells.Pins(shard); left > 0; {
		if err := s.enter(); err != nil {
			return err
		}
		began := time.Now()
		looked, err := s.writeOutBatch(shard, min(left, batchCells))
		s.leave()
		if err != nil {
			return err
		}
		if looked == 0 {
			return nil
		}
		left -= looked
		s.room.made()
		s.rest(restShare * time.Since(began))
	}
	return nil
}

// rest waits, unless much is pending or the store ends.
func (s *Store) rest(d time.Duration) {
	if s.pendingBytes() > s.pendingLimit/4*3 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.ending:
	}
}

// room is what those wait for who find too much pending.
type room struct {
	mu      sync.Mutex
	waiting chan struct{} // nil: nobody waits
}

// next is closed when there is more room than when it was called.
func (r *room) next() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting == nil {
		r.waiting = make(chan struct{})
	}
	return r.waiting
}

func (r *room) made() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting != nil {
		close(r.waiting)
		r.waiting = nil
	}
}
