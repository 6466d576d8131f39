package store

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"

	"github.com/virga-mesh/virga/mesh"
)

// tableFile is one of the engine's files of sorted records, read past the engine.
type tableFile struct {
	span
	file   uint64
	reader *sstable.Reader // nil if nothing in the file can be found
}

// liveTables lists the tables with records in a span, unopened. A file may
// hold several, each with a span of its own.
func (s *Store) liveTables(in span) (tables []tableFile, err error) {
	levels, err := s.db.SSTables(pebble.WithKeyRangeFilter(in.start, in.end))
	if err != nil {
		return nil, err
	}
	for _, level := range levels {
		for _, info := range level {
			end := append(append([]byte(nil), info.Largest.UserKey...), 0)
			tables = append(tables, tableFile{
				span: span{start: info.Smallest.UserKey, end: end},
				file: uint64(info.BackingSSTNum),
			})
		}
	}
	return tables, nil
}

// fileOfTable gives the number of a table's file.
func fileOfTable(path string) (uint64, error) {
	name, ok := strings.CutSuffix(filepath.Base(path), ".sst")
	if !ok {
		return 0, mesh.Errorf(mesh.Unavailable, "mend", "%s is no table", path)
	}
	return strconv.ParseUint(name, 10, 64)
}

// open opens the file, or leaves the reader nil if it is damaged where it
// says what it holds.
func (t *tableFile) open(ctx context.Context, s *Store) error {
	name := strconv.FormatUint(t.file, 10)
	name = strings.Repeat("0", max(0, 6-len(name))) + name + ".sst"
	file, err := s.fs.Open(s.fs.PathJoin(s.dir, name))
	if err != nil {
		return err
	}
	readable, err := sstable.NewSimpleReadable(file)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	t.reader, err = sstable.NewReader(ctx, readable, sstable.ReaderOptions{Merger: cellMerger(s.log)})
	if err != nil {
		t.reader = nil
		err = errors.Join(ignoreCorruption(err), readable.Close())
	}
	return err
}

func (t *tableFile) close() error {
	if t.reader == nil {
		return nil
	}
	return t.reader.Close()
}

// seek finds the last record before a key, or with after the first from it
// on; nil if there is none. ok is false where that cannot be read.
func (t *tableFile) seek(key []byte, after bool) (found []byte, ok bool, err error) {
	records, err := t.records(span{})
	if err != nil {
		return nil, false, ignoreCorruption(err)
	}
	if !after {
		if at := records.SeekLT(key, 0); at != nil {
			found = append(found, at.K.UserKey...)
		}
	} else if at := records.SeekGE(key, 0); at != nil {
		found = append(found, at.K.UserKey...)
	}
	err = records.Error()
	_ = records.Close() // gives the same error
	return found, err == nil, ignoreCorruption(err)
}

func (t *tableFile) records(in span) (sstable.Iterator, error) {
	return t.reader.NewIter(sstable.NoTransforms, in.start, in.end, sstable.AssertNoBlobHandles)
}

// unreadable gives the first part of a span that cannot be read. It begins
// with the last record that can be, for without that an iterator would go on
// into the damage, and it ends where records can be found again.
func (t *tableFile) unreadable(in span) (bad span, found bool, err error) {
	if t.reader == nil {
		return t.span, true, nil
	}
	last, err := t.readUntilDamage(in)
	if !pebble.IsCorruptionError(err) {
		return span{}, false, err
	}
	bad.start = in.start
	if last != nil {
		bad.start = last
	}
	bad.end, err = t.edge(append(bad.start[:len(bad.start):len(bad.start)], 0), in.end, true)
	return bad, true, err
}

// readUntilDamage reads a span, and gives the last record before an error.
func (t *tableFile) readUntilDamage(in span) (last []byte, err error) {
	records, err := t.records(in)
	if err != nil {
		return nil, err
	}
	for record := records.First(); record != nil; record = records.Next() {
		last = append(last[:0], record.K.UserKey...)
		if _, _, err = record.Value(nil); err != nil {
			break
		}
	}
	if err == nil {
		err = records.Error()
	}
	_ = records.Close() // gives the same error
	return last, err
}

// lastBefore gives nil if the record before a key can be found, and otherwise
// the last one before it that can, or the table's first.
func (t *tableFile) lastBefore(key []byte) ([]byte, error) {
	_, ok, err := t.seek(key, false)
	if err != nil || ok {
		return nil, err
	}
	if key, err = t.edge(key, t.start, false); err != nil {
		return nil, err
	}
	last, _, err := t.seek(key, false)
	if last == nil {
		last = t.start
	}
	return last, err
}

// edge gives the key closest to bad, between bad and good, from which on, or
// without after up to which, records can be found. It halves the distance
// again and again, for the file does not tell where its blocks begin.
func (t *tableFile) edge(bad, good []byte, after bool) ([]byte, error) {
	for {
		var middle []byte
		if after {
			middle = between(bad, good)
		} else {
			middle = between(good, bad)
		}
		if middle == nil {
			return good, nil
		}
		switch _, ok, err := t.seek(middle, after); {
		case err != nil:
			return nil, err
		case ok:
			good = middle
		default:
			bad = middle
		}
	}
}

func ignoreCorruption(err error) error {
	if pebble.IsCorruptionError(err) {
		return nil
	}
	return err
}
