package store

import (
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/cellmap"
)

// Get gives the cell of a key: deleted cells too, so that a caller can tell
// "deleted" from "never heard of". The cell must not be changed, and stays as
// it is while others write: the first write after a Get works on a copy, so a
// reader that only looks at part of a large value should use View. From
// memory, Get allocates nothing. A damaged record is a mesh.Internal error.
func (s *Store) Get(key mesh.Key) (lattice.Cell, bool, error) {
	if err := s.fail.err(); err != nil {
		return lattice.Cell{}, false, err
	}
	if cell, _, ok := s.cells.Get(key); ok {
		return cell, true, nil
	}
	if err := s.enter(); err != nil {
		return lattice.Cell{}, false, err
	}
	defer s.leave()
	cell, found, err := s.getFromDisk(key)
	if err != nil {
		return lattice.Cell{}, false, readError(key, err)
	}
	return cell, found, nil
}

// getFromDisk reads a cell, and brings it into memory if there is room or it
// was read lately.
func (s *Store) getFromDisk(key mesh.Key) (lattice.Cell, bool, error) {
	if s.cells.Full() && !s.promotions.again(key, time.Now()) {
		return s.peek(key)
	}
	locked := s.cells.Lock(key)
	found, err := s.load(&locked, key)
	cell := locked.Share()
	locked.Unlock()
	s.cells.Trim()
	return cell, found, err
}

// InMemory gives the cell of a key if it is in memory: Get without ever
// waiting for the disk.
func (s *Store) InMemory(key mesh.Key) (lattice.Cell, bool) {
	cell, _, ok := s.cells.Get(key)
	return cell, ok
}

// View calls read with the cell of a key, which is valid until read returns;
// it is never copied for a View. It reports whether there is one. read must
// be short, since writes wait for it, and must not call the store.
func (s *Store) View(key mesh.Key, read func(*lattice.Cell)) (bool, error) {
	if err := s.fail.err(); err != nil {
		return false, err
	}
	if s.cells.View(key, read) {
		return true, nil
	}
	if err := s.enter(); err != nil {
		return false, err
	}
	defer s.leave()
	if s.cells.Full() && !s.promotions.again(key, time.Now()) {
		cell, found, err := s.peek(key)
		if found {
			read(&cell)
		}
		return found, readError(key, err)
	}
	locked := s.cells.Lock(key)
	found, err := s.load(&locked, key)
	if found {
		read(locked.Cell())
	}
	locked.Unlock()
	s.cells.Trim()
	return found, readError(key, err)
}

// Holds reports whether there is a cell of the key, deleted or not.
func (s *Store) Holds(key mesh.Key) (bool, error) {
	return s.View(key, func(*lattice.Cell) {})
}

// load brings the cell of a key into memory, unless it is there, and reports
// whether there is one at all. The error wraps errDamaged for a damaged record.
func (s *Store) load(cell *cellmap.Locked[inMemory], key mesh.Key) (bool, error) {
	if cell.Cell() != nil {
		return true, nil
	}
	scratch := s.takeScratch()
	defer s.giveScratch(scratch)
	scratch.key = appendCellKey(scratch.key[:0], key)
	raw, closer, err := get(s.db, scratch.key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, s.readFailed(key, err)
	}
	defer closer.Close()
	loaded, err := lattice.DecodeCell(raw)
	if err != nil {
		return false, s.reportDamage(key, err)
	}
	if err := s.follow(loaded); err != nil {
		s.log.Warn("a record is from the future", "key", key.String(), "err", err)
	}
	var beside inMemory
	if loaded.Deleted() {
		beside = buried
	}
	cell.Insert(loaded, beside)
	return true, nil
}

func (s *Store) readFailed(key mesh.Key, err error) error {
	if pebble.IsCorruptionError(err) {
		return s.reportDamage(key, err)
	}
	return err
}

// readError gives the error of a read its kind and operation.
func readError(key mesh.Key, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errDamaged):
		return mesh.Errorf(mesh.Internal, "get "+key.String(), "%w", err)
	}
	return mesh.Errorf(mesh.Unavailable, "get "+key.String(), "reading the disk: %w", err)
}
