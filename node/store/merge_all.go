package store

import (
	"context"

	"github.com/virga-mesh/virga/lattice"
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
	for _, record := range records {
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
	if err := s.Await(ctx, d); err != nil {
		return mesh.AsError("merge records", err)
	}
	if refused > 0 {
		return mesh.Errorf(mesh.KindOf(first), "merge records", "%d of %d are refused; the first: %w", refused, len(records), first)
	}
	return nil
}

func (s *Store) mergeRecord(ctx context.Context, record mesh.Record) error {
	_, err := s.write(ctx, record.Key, mesh.Memory, func(lattice.Cell) (lattice.Cell, error) {
		return record.Cell, s.follow(record.Cell)
	})
	return writeError("merge", record.Key, err)
}
