package store

import (
	"context"

	"github.com/cockroachdb/pebble/v2"
)

// Namespaces gives up to limit namespaces of which there is a cell, be it of
// a deleted key, in order, whose names are greater than after; more says
// whether there are others. It reads one record of each.
func (s *Store) Namespaces(ctx context.Context, after string, limit int) (names []string, more bool, err error) {
	err = s.reading(ctx, func() (err error) {
		names, more, err = s.namespaces(ctx, after, limit)
		return err
	})
	if err != nil {
		return nil, false, diskError("list namespaces", err)
	}
	return names, more, ctx.Err()
}

func (s *Store) namespaces(ctx context.Context, after string, limit int) (names []string, more bool, err error) {
	first := []byte{cellRecord}
	records, err := s.db.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: first, UpperBound: afterPrefix(first)})
	if err != nil {
		return nil, false, err
	}
	defer records.Close()
	for valid := records.SeekGE(afterNamespace(after)); valid; {
		key, err := keyOfCell(records.Key())
		if err != nil {
			return nil, false, err
		}
		if len(names) == limit {
			return names, true, nil
		}
		names = append(names, key.Namespace)
		valid = records.SeekGE(afterNamespace(key.Namespace))
	}
	return names, false, records.Error()
}

// afterNamespace comes after the records of all cells of a namespace, and
// before those of the next.
func afterNamespace(namespace string) []byte {
	if namespace == "" {
		return []byte{cellRecord}
	}
	return append(append([]byte{cellRecord}, namespace...), 1)
}
