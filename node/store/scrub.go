package store

import (
	"context"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/lattice"
)

// A scrub reads so many bytes at once, and so many in a second, that callers
// do not notice it.
const (
	scrubChunk = 1 << 20
	scrubRate  = 16 << 20
)

// Scrub reads all that is on the disk once, at a bounded rate, so that damage
// in what nobody reads is found, reported and mended while other owners are
// there to repair it.
func (s *Store) Scrub(ctx context.Context) error {
	for from := everything.start; from != nil; {
		var next []byte
		err := s.reading(ctx, func() (err error) {
			next, err = s.scrubChunk(ctx, from)
			return err
		})
		if err != nil {
			return diskError("scrub", err)
		}
		if from = next; from != nil {
			if err := sleep(ctx, time.Second*scrubChunk/scrubRate); err != nil {
				return err
			}
		}
	}
	return nil
}

// scrubChunk reads from a record on, and gives the one at which to go on; nil at the end.
func (s *Store) scrubChunk(ctx context.Context, from []byte) (next []byte, err error) {
	records, err := s.db.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: from, UpperBound: everything.end})
	if err != nil {
		return nil, err
	}
	defer records.Close()
	bytes := 0
	for valid := records.First(); valid; valid = records.Next() {
		if bytes >= scrubChunk {
			return append([]byte(nil), records.Key()...), nil
		}
		value, err := records.ValueAndErr()
		if err != nil {
			return nil, err
		}
		s.scrubRecord(records.Key(), value)
		bytes += len(records.Key()) + len(value)
	}
	return nil, records.Error()
}

// scrubRecord reports a record that is no cell, though it should be.
func (s *Store) scrubRecord(record, value []byte) {
	if record[0] != cellRecord {
		return
	}
	key, err := keyOfCell(record)
	if err == nil {
		_, err = lattice.DecodeCell(value)
	}
	if err != nil {
		_ = s.reportDamage(key, err)
	}
}

// scrubAgainAndAgain scrubs with a pause between, until the context ends. The
// first scrub comes sooner, for a process that does not run for as long.
func (s *Store) scrubAgainAndAgain(ctx context.Context, pause time.Duration) {
	for wait := pause / 10; sleep(ctx, wait) == nil; wait = pause {
		if err := s.Scrub(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("a scrub ended early", "err", err)
		}
	}
}

// sleep waits, and gives an error if the context ends before.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
