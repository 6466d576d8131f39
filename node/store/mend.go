package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// A table with a damaged block hides the records in it, fails every read that
// passes there, and keeps the engine from compacting. Mending finds the
// smallest span of records that cannot be read, saves what is known of it
// otherwise, and has the engine cut it out of all its tables. A cell that is
// lost with it is known by name from the index, and marked as lost, so that it
// is damaged and not missing until other owners repair it.

// mendInterval is the longest that damage waits to be mended, while nobody
// waits for it.
const mendInterval = time.Second

// maxWounds bounds how many damaged files wait to be mended. Damage beyond
// them is reported again when it is met again.
const maxWounds = 64

// wounds are the files in which damage was met.
type wounds struct {
	mu    sync.Mutex
	files map[string]struct{}
}

// add reports whether the file is new.
func (w *wounds) add(file string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, known := w.files[file]
	if known || len(w.files) >= maxWounds {
		return false
	}
	w.files[file] = struct{}{}
	return true
}

// take gives all files, and forgets them.
func (w *wounds) take() map[string]struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.files
	w.files = make(map[string]struct{})
	return taken
}

// onCorruption is told by the engine of each damaged block that it meets.
func (s *Store) onCorruption(info pebble.DataCorruptionInfo) {
	if !s.wounds.add(info.Path) {
		return
	}
	s.log.Error("a file of the store is damaged", "file", info.Path, "err", info.Details)
	s.mends.Wrote()
}

// mendWounds mends what was reported. A process that is killed meanwhile
// checks the whole store when it starts again.
func (s *Store) mendWounds(ctx context.Context) error {
	wounds := s.wounds.take()
	if len(wounds) == 0 || ctx.Err() != nil {
		return nil
	}
	if err := s.setMending(true); err != nil {
		return err
	}
	var all error
	var cuts []span
	for path := range wounds {
		some, err := s.mendFile(ctx, path)
		if err != nil {
			s.log.Error("a damaged file cannot be mended", "file", path, "err", err)
			all = errors.Join(all, err)
		}
		cuts = append(cuts, some...)
	}
	if err := s.rebuildCuts(ctx, cuts); err != nil {
		all = errors.Join(all, err)
	}
	if all != nil {
		return all
	}
	return s.setMending(false)
}

// rebuildCuts makes anew what can be made from the cells.
func (s *Store) rebuildCuts(ctx context.Context, cuts []span) error {
	for _, bad := range cuts {
		if bad.isMadeFromCells() {
			s.gate.Lock()
			defer s.gate.Unlock()
			if s.closed.Load() {
				return errClosed
			}
			return s.rebuild(ctx, cuts)
		}
	}
	return nil
}

func (s *Store) setMending(mending bool) error {
	s.identityMu.Lock()
	s.identity.mending = mending
	s.identityMu.Unlock()
	return s.saveRunning()
}

// mendFile cuts what cannot be read out of the tables in a file, and gives
// what it cut.
func (s *Store) mendFile(ctx context.Context, path string) (cuts []span, err error) {
	file, err := fileOfTable(path)
	if err != nil {
		return nil, err
	}
	tables, err := s.liveTables(everything)
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		if t.file != file {
			continue
		}
		some, err := s.mendTable(ctx, t)
		cuts = append(cuts, some...)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // compacted away meanwhile
			return cuts, err
		}
	}
	return cuts, nil
}

func (s *Store) mendTable(ctx context.Context, t tableFile) (cuts []span, err error) {
	if err := t.open(ctx, s); err != nil {
		return nil, err
	}
	defer t.close()
	for left := t.span; bytes.Compare(left.start, left.end) < 0; {
		bad, found, err := t.unreadable(left)
		if err != nil {
			return cuts, err
		}
		if !found {
			break
		}
		if bad, err = s.cut(ctx, bad); err != nil {
			return cuts, err
		}
		cuts = append(cuts, bad)
		left.start = bad.end
	}
	if len(cuts) == 0 && t.reader.ValidateBlockChecksums() != nil {
		return nil, s.rewrite(ctx, t.span) // it is a filter, say
	}
	return cuts, nil
}

// cut takes a span that cannot be read out of the engine, with all calls held
// back: what they wrote there would go with it. It gives what it cut, which
// may be wider.
func (s *Store) cut(ctx context.Context, bad span) (span, error) {
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.closed.Load() {
		return bad, errClosed
	}
	bad, err := s.widen(ctx, bad)
	if err != nil {
		return bad, err
	}
	s.log.Warn("a span of records cannot be read and is cut out", "from", fmt.Sprintf("%q", bad.start), "to", fmt.Sprintf("%q", bad.end))
	saved := s.db.NewBatch()
	defer saved.Close()
	lost, err := s.salvage(ctx, saved, bad)
	if err != nil {
		return bad, err
	}
	if err := s.replace(ctx, bad, saved); err != nil {
		return bad, err
	}
	for _, key := range lost {
		_ = s.reportDamage(key, errLost)
	}
	if bad.overlaps(kind(identityRecord)) {
		return bad, s.saveRunning()
	}
	return bad, nil
}

var errLost = errors.New("the record was in a part of a file that cannot be read")

// replace cuts a span out of the engine and puts a batch in its place.
func (s *Store) replace(ctx context.Context, out span, in *pebble.Batch) error {
	if err := s.db.Excise(ctx, pebble.KeyRange{Start: out.start, End: out.end}); err != nil {
		return err
	}
	if err := s.db.Apply(in, pebble.Sync); err != nil {
		return err
	}
	return s.logs.SyncLogs()
}

// widen gives a span that holds another, at whose ends all tables can be
// read: the engine forgets the rest of a table where it cannot.
func (s *Store) widen(ctx context.Context, bad span) (span, error) {
	for wider := true; wider; {
		tables, err := s.liveTables(bad)
		if err != nil {
			return bad, err
		}
		wider = false
		for _, t := range tables {
			w, err := s.widenFor(ctx, t, &bad)
			if err != nil {
				return bad, err
			}
			wider = wider || w
		}
	}
	return bad, nil
}

// widenFor widens a span for a table, and reports whether it had to.
func (s *Store) widenFor(ctx context.Context, t tableFile, bad *span) (wider bool, err error) {
	before, after := bytes.Compare(t.start, bad.start) < 0, bytes.Compare(bad.end, t.end) < 0
	if !before && !after {
		return false, nil
	}
	if err := t.open(ctx, s); err != nil {
		return false, err
	}
	defer t.close()
	if t.reader == nil {
		if before {
			bad.start = t.start
		}
		if after {
			bad.end = t.end
		}
		return true, nil
	}
	if before {
		start, err := t.lastBefore(bad.start)
		if err != nil {
			return false, err
		}
		if start != nil {
			bad.start, wider = start, true
		}
	}
	if after {
		_, ok, err := t.seek(bad.end, true)
		if err == nil && !ok {
			wider = true
			bad.end, err = t.edge(bad.end, t.end, true)
		}
		if err != nil {
			return false, err
		}
	}
	return wider, nil
}

// lostUnknown notes, durably, that data is lost that cannot be named.
func (s *Store) lostUnknown() error {
	s.identityMu.Lock()
	s.identity.refill = true
	s.identityMu.Unlock()
	return s.saveRunning()
}
