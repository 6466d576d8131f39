package store

import (
	"bytes"
	"context"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// salvage adds to a batch what is known of the records in a span that is
// about to be cut out, and gives the keys whose cells are lost. What can be
// made from the cells is left to rebuild.
func (s *Store) salvage(ctx context.Context, saved *pebble.Batch, bad span) (lost []mesh.Key, err error) {
	for _, record := range []byte{hintRecord, queueRecord} {
		if err := s.salvageOwn(ctx, saved, bad, record); err != nil {
			return nil, err
		}
	}
	if bad.overlaps(kind(cellRecord)) {
		return s.salvageCells(ctx, saved, bad)
	}
	return nil, nil
}

// salvageOwn saves the records of a kind that can be read, which no cell has.
func (s *Store) salvageOwn(ctx context.Context, saved *pebble.Batch, bad span, record byte) error {
	part, ok := bad.of(kind(record))
	if !ok {
		return nil
	}
	lost, err := s.eachReadable(ctx, part, func(record, value []byte) error {
		return saved.Set(record, value, nil)
	})
	if lost {
		s.log.Error("records of what this node owes others, or has yet to make, may be lost", "kind", string(record))
	}
	return err
}

// salvageCells saves the cells that are in memory or can be read alone, and
// marks all others that the index knows as lost.
func (s *Store) salvageCells(ctx context.Context, saved *pebble.Batch, bad span) (lost []mesh.Key, err error) {
	held := make(map[mesh.Key]struct{})
	s.cells.EachCell(func(key mesh.Key, cell *lattice.Cell, beside inMemory) {
		if record := appendCellKey(nil, key); err == nil && beside&fresh == 0 && bad.contains(record) {
			held[key] = struct{}{}
			err = s.saveCell(saved, record, cell.AppendBinary(nil))
		}
	})
	if err != nil {
		return nil, err
	}
	unknown, err := s.eachReadable(ctx, kind(indexRecord), func(index, _ []byte) error {
		if record := cellOfIndex(index); !bad.contains(record) {
			return nil
		}
		_, key, err := splitIndexKey(index)
		if err != nil {
			return err
		}
		if _, ok := held[key]; ok {
			return nil
		}
		readable, err := s.salvageCell(saved, index)
		if err == nil && !readable {
			lost = append(lost, key)
		}
		return err
	})
	if err == nil && unknown {
		err = s.lostUnknown()
	}
	return lost, err
}

// saveCell saves a cell of the memory tier, which may be ahead of the disk,
// with the records that stand beside it.
func (s *Store) saveCell(saved *pebble.Batch, record, value []byte) error {
	for _, beside := range besideCell(record, value) {
		if beside[0] == indexRecord {
			s.table.stale[partitionOfIndex(beside)].Store(true)
		}
		if err := saved.Set(beside, nil, nil); err != nil {
			return err
		}
	}
	return saved.Set(record, value, nil)
}

// salvageCell saves the cell of an index record, or marks it as lost.
func (s *Store) salvageCell(saved *pebble.Batch, index []byte) (readable bool, err error) {
	record := cellOfIndex(index)
	if value, closer, err := get(s.db, record); err == nil {
		defer closer.Close()
		return true, saved.Set(record, value, nil)
	}
	if err := saved.Set(index, nil, nil); err != nil {
		return false, err
	}
	s.table.stale[partitionOfIndex(index)].Store(true)
	return false, saved.Set(record, lostValue, nil)
}

// eachReadable visits the records of a span, and passes over what cannot be
// read; unknown says that there was such.
func (s *Store) eachReadable(ctx context.Context, in span, visit func(record, value []byte) error) (unknown bool, err error) {
	for bytes.Compare(in.start, in.end) < 0 {
		bad, found, err := s.sweep(ctx, in, visit)
		if err != nil || !found {
			return unknown, err
		}
		unknown, in.start = true, bad.end
	}
	return unknown, nil
}

// isMadeFromCells reports whether a span has records that rebuild makes.
func (r span) isMadeFromCells() bool {
	return r.overlaps(kind(indexRecord)) || r.overlaps(kind(deletedRecord)) || r.overlaps(kind(expiryRecord))
}

// rebuild makes the records beside cells that were cut out anew. It is called
// with all calls held back.
func (s *Store) rebuild(ctx context.Context, cuts []span) error {
	batch := s.db.NewBatch()
	defer batch.Close()
	unknown, err := s.eachReadable(ctx, kind(cellRecord), func(record, value []byte) error {
		for _, beside := range besideCell(record, value) {
			if !slices.ContainsFunc(cuts, func(bad span) bool { return bad.contains(beside) }) {
				continue
			}
			if err := batch.Set(beside, nil, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if unknown {
		if err := s.lostUnknown(); err != nil {
			return err
		}
	}
	if err := s.db.Apply(batch, pebble.Sync); err != nil {
		return err
	}
	return s.recount(ctx)
}

// besideCell gives the keys of the records that stand beside a cell's.
func besideCell(record, value []byte) (beside [][]byte) {
	key, err := keyOfCell(record)
	if err != nil {
		return nil // reported where it is read
	}
	beside = append(beside, appendIndexKey(nil, key))
	cell, err := lattice.DecodeCell(value)
	if err != nil {
		return beside
	}
	if cell.Deleted() {
		beside = append(beside, appendDeletedKey(nil, key))
	}
	if at := expiryOf(cell); at != 0 {
		beside = append(beside, appendExpiryKey(nil, at, key))
	}
	return beside
}
