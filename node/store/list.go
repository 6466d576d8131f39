package store

import (
	"context"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// List gives up to limit keys of a namespace, in order, whose names begin
// with prefix and are greater than after; more says whether there are others.
// Deleted and expired keys are left out. What is written meanwhile may be missed.
func (s *Store) List(ctx context.Context, namespace, prefix, after string, limit int) (keys []mesh.KeyInfo, more bool, err error) {
	err = s.reading(ctx, func() (err error) {
		if err := s.writeOutPrefix(namespace, prefix); err != nil {
			return err
		}
		keys, more, err = s.list(ctx, namespace, prefix, after, limit)
		return err
	})
	if err != nil {
		return nil, false, listError(namespace, err)
	}
	return keys, more, ctx.Err()
}

func (s *Store) list(ctx context.Context, namespace, prefix, after string, limit int) (keys []mesh.KeyInfo, more bool, err error) {
	from := appendCellKey(nil, mesh.Key{Namespace: namespace, Name: prefix})
	records, err := s.db.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: from, UpperBound: afterPrefix(from)})
	if err != nil {
		return nil, false, err
	}
	defer records.Close()
	start := from
	if after >= prefix {
		start = append(appendCellKey(nil, mesh.Key{Namespace: namespace, Name: after}), 0)
	}
	for valid := records.SeekGE(start); valid; valid = records.Next() {
		info, exists, err := s.keyInfo(records)
		if err != nil {
			return nil, false, err
		}
		if !exists {
			continue
		}
		if len(keys) == limit {
			return keys, true, nil
		}
		keys = append(keys, info)
	}
	return keys, false, records.Error()
}

// writeOutPrefix writes out what is pending of the keys of a namespace whose
// names begin with a prefix.
func (s *Store) writeOutPrefix(namespace, prefix string) error {
	return s.writeOutThose(func(key mesh.Key, _ inMemory) bool {
		return key.Namespace == namespace && strings.HasPrefix(key.Name, prefix)
	})
}

// keyInfo describes the record under the iterator, unless it is deleted or damaged.
func (s *Store) keyInfo(records *pebble.Iterator) (info mesh.KeyInfo, exists bool, err error) {
	key, err := keyOfCell(records.Key())
	if err != nil {
		return info, false, err
	}
	if _, _, isPart := key.Whole(); isPart {
		return info, false, nil
	}
	raw, err := records.ValueAndErr()
	if err != nil {
		return info, false, err
	}
	cell, err := lattice.DecodeCell(raw)
	if err != nil {
		_ = s.reportDamage(key, err)
		return info, false, nil
	}
	value, exists := cell.Value()
	return mesh.KeyInfo{Name: key.Name, Kind: value.Kind(), Size: int64(len(raw))}, exists && !cell.Expired(time.Now), nil
}

func listError(namespace string, err error) error { return diskError("list "+namespace, err) }
