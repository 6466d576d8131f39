package store

import (
	"context"

	"github.com/virga-mesh/virga/mesh"
)

// MergeAll merges records into what is held, and returns when all are as
// durable as d asks (the default is mesh.Logged). A record that Merge would
// refuse is left out and all others are merged; the error then has the kind of
// the first refusal, mesh.KindMismatch or mesh.Invalid. After any other error
// some may be merged.
func (s *Store) MergeAll(ctx context.Context, records []mesh.Record, d mesh.Durability) error {
	if d == mesh.DefaultDurability {
		d = mesh.Logged
	}
	refused, first := 0, error(nil)
	keys := make([]mesh.Key, 0, len(records))
	for _, record := range records {
		keys = append(keys, record.Key)
		err := s.mergeRecord(ctx, record)
		switch kind := mesh.KindOf(err); {
		case err == nil:
		case kind == mesh.KindMismatch || kind == mesh.Invalid:
			s.log.Warn("a record is refused", "key", record.Key.String(), "err", err)
			if refused++; first == nil {
				first = err
			}
		default:
			return err
		}
	}
	if err := s.awaitAll(ctx, d, keys); err != nil {
		return mesh.AsError("merge records", err)
	}
	if refused > 0 {
		return mesh.Errorf(mesh.KindOf(first), "merge records", "%d of %d are refused; the first: %w", refused, len(records), first)
	}
	return nil
}

func (s *Store) awaitAll(ctx context.Context, d mesh.Durability, keys []mesh.Key) error {
	if len(keys) == 0 {
		return s.fail.err()
	}
	return s.Await(ctx, d, keys...)
}

func (s *Store) mergeRecord(ctx context.Context, record mesh.Record) error {
	_, err := s.Merge(ctx, record.Key, record.Cell, mesh.Memory)
	return err
}
