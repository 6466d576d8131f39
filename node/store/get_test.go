package store

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// tableWith gives the files of an engine with one table, and where what is in that.
func tableWith(t *testing.T, records [][]byte) (fs *vfs.MemFS, path string, layout *sstable.Layout) {
	t.Helper()
	fs = vfs.NewMem()
	db := engineAlone(t, fs, func(pebble.DataCorruptionInfo) {})
	for _, record := range records {
		if err := db.Set(record, record, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(db.Flush(), db.Close()); err != nil {
		t.Fatal(err)
	}
	path = files(t, fs, "data", "*.sst")[0]
	file, err := fs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	readable, err := sstable.NewSimpleReadable(file)
	if err != nil {
		t.Fatal(err)
	}
	table, err := sstable.NewReader(t.Context(), readable, sstable.ReaderOptions{Merger: cellMerger(slog.New(slog.DiscardHandler))})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	if layout, err = table.Layout(); err != nil || len(layout.Filter) != 1 {
		t.Fatalf("%d filters in %s, %v: expected one", len(layout.Filter), path, err)
	}
	return fs, path, layout
}

// engineAlone gives the engine of a store. It does not compact: of tables at the
// lowest level it does not look at the filters.
func engineAlone(t *testing.T, fs vfs.FS, onCorruption func(pebble.DataCorruptionInfo)) *pebble.DB {
	t.Helper()
	opts := engineOptions(fs, "data", slog.New(slog.DiscardHandler), &failure{}, onCorruption)
	opts.DisableAutomaticCompactions = true
	db, err := pebble.Open("data", opts)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// The filter of a table says what is not in it, and nothing else.
func TestADamagedFilterHidesNothing(t *testing.T) {
	var records [][]byte
	for i := range 200 {
		records = append(records, fmt.Appendf(nil, "c%03d", i))
	}
	fs, path, layout := tableWith(t, records)
	content := read(t, fs, path)
	content[layout.Filter[0].Offset] ^= 1
	write(t, fs, path, content)
	told := false
	db := engineAlone(t, fs, func(pebble.DataCorruptionInfo) { told = true })
	for _, record := range records {
		value, closer, err := get(db, record)
		if err != nil || string(value) != string(record) {
			t.Fatalf("%s: %q, %v", record, value, err)
		}
		if err := closer.Close(); err != nil {
			t.Error(err)
		}
		if _, _, err := get(db, append(record, 'x')); !errors.Is(err, pebble.ErrNotFound) {
			t.Fatalf("%sx, which is not there: %v", record, err)
		}
	}
	if err := db.Close(); err != nil || !told {
		t.Errorf("the engine tells of the damage: %v; closing it: %v", told, err)
	}

	content[layout.Data[0].Offset] ^= 1
	write(t, fs, path, content)
	db = engineAlone(t, fs, func(pebble.DataCorruptionInfo) {})
	if _, _, err := get(db, records[0]); !pebble.IsCorruptionError(err) {
		t.Errorf("a damaged record: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
