package store

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// rewriteBytes bounds what is rewritten in one step, with all calls held back.
const rewriteBytes = 4 << 20

// errEnough ends a walk over records.
var errEnough = errors.New("enough")

// rewrite moves the records of a span, all of which can be read, out of the
// tables that hold them.
func (s *Store) rewrite(ctx context.Context, in span) error {
	s.log.Warn("the records of a damaged file can be read and are rewritten")
	for from := in.start; from != nil; {
		next, err := s.rewriteStep(ctx, span{from, in.end})
		if err != nil {
			return err
		}
		from = next
	}
	return nil
}

// rewriteStep rewrites records from the start of a span, and gives the one at
// which to go on; nil at the end.
func (s *Store) rewriteStep(ctx context.Context, in span) (next []byte, err error) {
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.closed.Load() {
		return nil, errClosed
	}
	saved := s.db.NewBatch()
	defer saved.Close()
	err = s.eachRecord(ctx, in, func(record, value []byte) error {
		if saved.Len() >= rewriteBytes {
			next = append([]byte(nil), record...)
			return errEnough
		}
		return saved.Set(record, value, nil)
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	out := in
	if next != nil {
		out.end = next
	}
	return next, s.replace(ctx, out, saved)
}

// recheck makes index and cells agree after a run that ended while it mended.
// It is called before all others.
func (s *Store) recheck(ctx context.Context) error {
	s.log.Warn("the last run ended while it mended a damaged file: all keys are checked")
	batch := s.db.NewBatch()
	defer batch.Close()
	_, err := s.eachReadable(ctx, kind(indexRecord), func(index, _ []byte) error {
		_, closer, err := get(s.db, cellOfIndex(index))
		switch {
		case errors.Is(err, pebble.ErrNotFound):
			return batch.Set(cellOfIndex(index), lostValue, nil)
		case err != nil:
			return nil // reported, and mended
		}
		return closer.Close()
	})
	if err != nil {
		return err
	}
	if err := s.db.Apply(batch, pebble.Sync); err != nil {
		return err
	}
	if err := s.lostUnknown(); err != nil {
		return err
	}
	if err := s.rebuild(ctx, []span{everything}); err != nil {
		return err
	}
	return s.setMending(false)
}
