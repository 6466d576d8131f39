package store

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// flip changes one byte of the only file in a folder whose name ends in suffix.
func flip(t *testing.T, fs vfs.FS, folder, suffix string, at func(content []byte) int) string {
	t.Helper()
	names, err := fs.List(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, suffix) {
			continue
		}
		path := filepath.Join(folder, name)
		content := read(t, fs, path)
		content[at(content)] ^= 0xff
		f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Fatalf("no file *%s among %v", suffix, names)
	return ""
}

func read(t *testing.T, fs vfs.FS, path string) []byte {
	t.Helper()
	f, err := fs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// lines collects what a store logs.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestADamagedRecordIsReportedSkippedAndReplaced(t *testing.T) {
	fs := vfs.NewMem()
	o := options(fs)
	s := open(t, o)
	apply(t, s, "k", lattice.SetKind, lattice.AddOp("old"))
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	shut(t, s)
	path := flip(t, fs, "data", ".sst", func([]byte) int { return 10 })
	var log lines
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	s = open(t, o)
	writer := s.Writer()
	if _, _, err := s.Get(key("k")); !errors.Is(err, mesh.Internal) {
		t.Errorf("Get of a damaged record = %v, want Internal", err)
	}
	if text := log.String(); !strings.Contains(text, "default/k") || !strings.Contains(text, path) {
		t.Errorf("the log names neither key nor file: %s", text)
	}
	if s.Stats().Damaged == 0 || s.Failed() != nil {
		t.Errorf("damaged %d, failed %v: want it counted, and the store working", s.Stats().Damaged, s.Failed())
	}
	apply(t, s, "k", lattice.SetKind, lattice.AddOp("new"))
	apply(t, s, "other", lattice.SetKind, lattice.AddOp("x"))
	if s.Writer() == writer {
		t.Error("the store writes under the same name, though it lost dots of that name")
	}
	shut(t, s)
	s = open(t, o)
	for name, want := range map[string]string{"k": "new", "other": "x"} {
		if got := show(t, s, name); got != want {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
}

func TestATornLogLosesOnlyItsEnd(t *testing.T) {
	fs := vfs.NewMem()
	o := options(fs)
	s := open(t, o)
	for i := range 100 {
		apply(t, s, fmt.Sprint("k", i), lattice.SetKind, lattice.AddOp("x"))
	}
	shut(t, s)
	table := len(s.table.encode()) // which Close writes last
	flip(t, fs, "data/log", ".log", func(content []byte) int { return (len(content) - table) / 2 })
	s = open(t, o)
	lost := 0
	for i := range 100 {
		switch got := show(t, s, fmt.Sprint("k", i)); {
		case got == "":
			lost++
		case lost > 0:
			t.Fatalf("k%d is there, though an earlier write is lost", i)
		}
	}
	if lost == 0 || lost > 60 {
		t.Errorf("%d of 100 writes are lost with the second half of the log", lost)
	}
	apply(t, s, "after", lattice.SetKind, lattice.AddOp("x"))
}

func TestTheWriterIsNewWhereDotsMayBeLost(t *testing.T) {
	fs := vfs.NewCrashableMem()
	o := options(fs)
	s := open(t, o)
	first := s.Writer()
	apply(t, s, "k", lattice.GCounterKind, lattice.IncOp(1))
	o.FS = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(0, 0))})
	shut(t, s)
	if again := open(t, options(fs)); again.Writer() != first {
		t.Errorf("after Close the writer went from %q to %q", first, again.Writer())
	}
	crashed := open(t, o)
	if crashed.Writer() == first {
		t.Error("after a crash the writer is the same")
	}
	if fresh := open(t, options(vfs.NewMem())); fresh.Writer() == first {
		t.Error("in a new folder the writer is the same")
	}
	apply(t, crashed, "k", lattice.GCounterKind, lattice.IncOp(1))
	if got := show(t, crashed, "k"); got != "2" {
		t.Errorf("counted %s, want 2", got)
	}
}

func TestKeysAreCountedAfterACrash(t *testing.T) {
	fs := vfs.NewCrashableMem()
	o := options(fs)
	s := open(t, o)
	for i := range 50 {
		apply(t, s, fmt.Sprint("k", i), lattice.SetKind, lattice.AddOp("x"))
	}
	o.FS = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(0, 0))})
	crashed := open(t, o)
	apply(t, crashed, "k0", lattice.SetKind, lattice.AddOp("y"))
	apply(t, crashed, "one more", lattice.SetKind, lattice.AddOp("x"))
	for deadline := time.Now().Add(10 * time.Second); crashed.Stats().Keys != 51; {
		if time.Now().After(deadline) {
			t.Fatalf("counted %d keys, want 51", crashed.Stats().Keys)
		}
	}
	shut(t, crashed)
	if got := open(t, o).Stats().Keys; got != 51 {
		t.Errorf("%d keys after another start, want 51", got)
	}
}

func TestAFolderOfALaterVersionIsRefused(t *testing.T) {
	o := options(vfs.NewMem())
	s := open(t, o)
	if err := s.db.Set([]byte{identityRecord}, []byte("\x02from the future"), nil); err != nil {
		t.Fatal(err)
	}
	s.fail.abandoned.Store(true) // or Close would write the identity again
	s.stop()
	s.running.Wait()
	if err := errors.Join(s.db.Close(), s.lock.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(o); !errors.Is(err, mesh.Invalid) || !strings.Contains(err.Error(), "another version") {
		t.Errorf("Open = %v, want an error that says why", err)
	}
}
