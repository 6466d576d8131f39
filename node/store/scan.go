package store

import (
	"context"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// Scan gives the cells of a namespace's keys, in order, whose names begin with
// prefix and are greater than after: up to limit of them, and about maxBytes;
// more says whether there are others. Deleted cells are given, too; parts of
// collections and damaged records are not. What is written meanwhile may be missed.
func (s *Store) Scan(ctx context.Context, namespace, prefix, after string, limit, maxBytes int) (found []mesh.Record, more bool, err error) {
	if err := s.enter(); err != nil {
		return nil, false, err
	}
	defer s.leave()
	if err := s.writeOutPrefix(namespace, prefix); err != nil {
		return nil, false, listError(namespace, err)
	}
	from := appendCellKey(nil, mesh.Key{Namespace: namespace, Name: prefix})
	records, err := s.db.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: from, UpperBound: afterPrefix(from)})
	if err != nil {
		return nil, false, listError(namespace, err)
	}
	defer records.Close()
	if after >= prefix {
		from = append(appendCellKey(nil, mesh.Key{Namespace: namespace, Name: after}), 0)
	}
	bytes := 0
	for valid := records.SeekGE(from); valid; {
		key, err := keyOfCell(records.Key())
		if err != nil {
			return nil, false, listError(namespace, err)
		}
		if whole, _, isPart := key.Whole(); isPart {
			valid = records.SeekGE(appendCellKey(nil, afterParts(whole)))
			continue
		}
		if len(found) == limit || bytes >= maxBytes {
			return found, true, nil
		}
		cell, size, err := s.scanned(key, records)
		switch {
		case err != nil:
			return nil, false, listError(namespace, err)
		case size > 0:
			found = append(found, mesh.Record{Key: key, Cell: cell})
			bytes += size
		}
		valid = records.Next()
	}
	if err := records.Error(); err != nil {
		return nil, false, listError(namespace, err)
	}
	return found, false, ctx.Err()
}

// afterParts comes after all parts of a key, and before every other key that does.
func afterParts(whole mesh.Key) mesh.Key {
	whole.Name += "\x01"
	return whole
}

// scanned gives the cell under the iterator and its size on disk, 0 if it is damaged.
func (s *Store) scanned(key mesh.Key, records *pebble.Iterator) (lattice.Cell, int, error) {
	raw, err := records.ValueAndErr()
	if err != nil {
		return lattice.Cell{}, 0, s.readFailed(key, err)
	}
	cell, err := lattice.DecodeCell(raw)
	if err != nil {
		_ = s.reportDamage(key, err)
		return lattice.Cell{}, 0, nil
	}
	return cell, len(raw), nil
}
