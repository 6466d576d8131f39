package store

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// damageKeys is how many keys a store has whose tables are damaged.
const damageKeys = 200

// writeTables gives a file system with the tables of a closed store, several
// on two levels, and what each key holds.
func writeTables(t *testing.T) (*vfs.MemFS, map[mesh.Key]lattice.Cell) {
	t.Helper()
	fs := vfs.NewMem()
	s := open(t, options(fs))
	held := make(map[mesh.Key]lattice.Cell)
	for round := range 3 {
		for i := range damageKeys {
			if round > 0 && i%3 != 0 {
				continue
			}
			name := fmt.Sprintf("k%03d", i)
			apply(t, s, name, lattice.SetKind, lattice.AddOp(fmt.Sprint(round, strings.Repeat("x", 100))))
			if i%40 == 3 {
				keep(t, s, name, "kept", time.Hour)
			}
			if i%50 == 1 {
				if _, _, err := s.Delete(t.Context(), key(name), mesh.Logged); err != nil {
					t.Fatal(err)
				}
			}
		}
		digests(t, s)
		if err := s.db.Flush(); err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			if err := s.db.Compact(t.Context(), everything.start, everything.end, false); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range damageKeys {
		k := key(fmt.Sprintf("k%03d", i))
		held[k], _, _ = s.Get(k)
	}
	shut(t, s)
	return fs, held
}

// copyOf copies the files of a store.
func copyOf(t *testing.T, from *vfs.MemFS) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewMem()
	if ok, err := vfs.Clone(from, fs, "data", "data"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	return fs
}

// files lists the files of a store whose names match a pattern.
func files(t *testing.T, fs vfs.FS, folder, pattern string) (paths []string) {
	t.Helper()
	names, err := fs.List(folder)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	for _, name := range names {
		if ok, _ := filepath.Match(pattern, name); ok {
			paths = append(paths, filepath.Join(folder, name))
		}
	}
	if len(paths) == 0 {
		t.Fatalf("no file %s among %v", pattern, names)
	}
	return paths
}

func write(t *testing.T, fs vfs.FS, path string, content []byte) {
	t.Helper()
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// checkDamaged opens a damaged store and checks that it lost no more than it
// says, takes a repair, and is whole after it, now and when it is opened again.
func checkDamaged(t *testing.T, fs vfs.FS, held map[mesh.Key]lattice.Cell) {
	t.Helper()
	var mu sync.Mutex
	damaged := make(map[mesh.Key]bool)
	o := options(fs)

	o.OnDamage = func(k mesh.Key) {
		mu.Lock()
		defer mu.Unlock()
		damaged[k] = true
	}
	s := open(t, o)
	if err := s.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkIndex(t, s)
	missing := 0
	for k, want := range held {
		cell, ok, err := s.Get(k)
		switch {
		case errors.Is(err, errDamaged):
			if !damaged[k] {
				t.Fatalf("%v is damaged and was not reported", k)
			}
		case err != nil:
			t.Fatalf("%v: %v", k, err)
		case !ok:
			missing++
		case cell.Compare(want) == lattice.Greater || cell.Compare(want) == lattice.Concurrent:
			t.Fatalf("%v holds more than was written", k)
		}
	}
	if c := s.Condition(); missing > 0 && !c.Refill && !c.Unclean {
		t.Fatalf("%d keys are missing, of which the store says nothing: %+v", missing, c)
	}
	if _, _, err := s.List(t.Context(), "default", "", "", 1000); err != nil {
		t.Fatalf("List = %v", err)
	}
	for k, cell := range held {
		if _, err := s.Merge(t.Context(), k, cell, mesh.Memory); err != nil {
			t.Fatalf("repair of %v: %v", k, err)
		}
	}
	if err := s.db.Compact(t.Context(), everything.start, everything.end, false); err != nil {
		t.Fatalf("compacting after the repair: %v", err)
	}
	checkRepaired(t, s, held)
	shut(t, s)
	s = open(t, options(fs))
	checkRepaired(t, s, held)
	shut(t, s)
}

func checkRepaired(t *testing.T, s *Store, held map[mesh.Key]lattice.Cell) {
	t.Helper()
	checkIndex(t, s)
	dead := 0
	for k, want := range held {
		cell, ok, err := s.Get(k)
		if err != nil || !ok || !bytes.Equal(cell.AppendBinary(nil), want.AppendBinary(nil)) {
			t.Fatalf("%v is not what it was after the repair: %v, %v", k, ok, err)
		}
		if want.Deleted() {
			dead++
		}
	}
	if got, _, _, err := s.Expired(t.Context(), mesh.Expiring{}, time.Now().Add(2*time.Hour), 1000); len(got) != damageKeys/40 || err != nil {
		t.Fatalf("%d keys expire, %v: want %d", len(got), err, damageKeys/40)
	}
	if got, _, done, err := s.Tombstones(t.Context(), 0, 1000); len(got) != dead || !done || err != nil {
		t.Fatalf("%d tombstones, %v, %v: want %d", len(got), done, err, dead)
	}
}

func TestAFlippedByteInATable(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	fs, held := writeTables(t)
	for _, path := range files(t, fs, "data", "*.sst") {
		content := read(t, fs, path)
		for range 4 {
			offset := rng.IntN(len(content))
			if rng.IntN(4) == 0 { // the footer and the blocks before it are small
				offset = len(content) - 1 - rng.IntN(min(600, len(content)))
			}
			t.Run(fmt.Sprint(filepath.Base(path), " ", offset), func(t *testing.T) {
				broken := copyOf(t, fs)
				flipped := slices.Clone(content)
				flipped[offset] ^= 1 << rng.IntN(8)
				write(t, broken, path, flipped)
				checkDamaged(t, broken, held)
			})
		}
	}
}

func TestSeveralDamagedBlocks(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	fs, held := writeTables(t)
	for range 4 {
		broken := copyOf(t, fs)
		for _, path := range files(t, fs, "data", "*.sst") {
			content := read(t, fs, path)
			for range rng.IntN(4) {
				content[rng.IntN(len(content))] ^= 1 << rng.IntN(8)
			}
			write(t, broken, path, content)
		}
		checkDamaged(t, broken, held)
	}
}

// What is not a table: a damaged or missing file that the engine cannot do
// without has the folder set aside; of a damaged log the end is lost.
func TestOpenNeverFailsForDamage(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	whole, held := writeTables(t)
	for _, c := range []struct {
		name, folder, pattern string
		damage                func(content []byte) []byte // nil: the file is missing then
	}{
		{"missing table", "data", "*.sst", nil},
		{"truncated table", "data", "*.sst", func(b []byte) []byte { return b[:rng.IntN(len(b))] }},
		{"missing manifest", "data", "MANIFEST-*", nil},
		{"damaged manifest", "data", "MANIFEST-*", flipAny(rng)},
		{"truncated manifest", "data", "MANIFEST-*", func(b []byte) []byte { return b[:rng.IntN(len(b))] }},
		{"damaged options", "data", "OPTIONS-*", flipAny(rng)},
		{"empty options", "data", "OPTIONS-*", func([]byte) []byte { return nil }},
		{"missing marker of the manifest", "data", "marker.manifest.*", nil},
		{"missing marker of the format", "data", "marker.format-version.*", nil},
		{"damaged seal", "data", sealName, flipAny(rng)},
		{"missing seal", "data", sealName, nil},
		{"damaged log", "data/log", "*.log", flipAny(rng)},
		{"truncated log", "data/log", "*.log", func(b []byte) []byte { return b[:rng.IntN(len(b))] }},
		{"missing log", "data/log", "*.log", nil},
	} {
		for range 3 {
			t.Run(c.name, func(t *testing.T) {
				fs := copyOf(t, whole)
				paths := files(t, fs, c.folder, c.pattern)
				path := paths[rng.IntN(len(paths))]
				if c.damage == nil {
					if err := fs.Remove(path); err != nil {
						t.Fatal(err)
					}
				} else {
					write(t, fs, path, c.damage(read(t, fs, path)))
				}
				checkDamaged(t, fs, held)
			})
		}
	}
}

func flipAny(rng *rand.Rand) func([]byte) []byte {
	return func(content []byte) []byte {
		if len(content) > 0 {
			content[rng.IntN(len(content))] ^= 1 << rng.IntN(8)
		}
		return content
	}
}

func TestADamagedFolderIsSetAside(t *testing.T) {
	fs, _ := writeTables(t)
	lost := files(t, fs, "data", "*.sst")[0]
	if err := fs.Remove(lost); err != nil {
		t.Fatal(err)
	}
	var log lines
	o := options(fs)
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	s := open(t, o)
	if got, want := s.Condition(), (Condition{Refill: true, SetAside: "data.damaged-1"}); got != want {
		t.Errorf("Condition = %+v, want %+v", got, want)
	}
	if text := log.String(); !strings.Contains(text, "data.damaged-1") {
		t.Errorf("the log does not say where the folder went: %s", text)
	}
	files(t, fs, "data.damaged-1", "MANIFEST-*")
	apply(t, s, "new", lattice.SetKind, lattice.AddOp("x"))
	shut(t, s)
	s = open(t, o)
	if got, want := s.Condition(), (Condition{Refill: true}); got != want {
		t.Errorf("Condition after another start = %+v, want %+v", got, want)
	}
	if err := s.Refilled(); err != nil {
		t.Fatal(err)
	}
	shut(t, s)
	s = open(t, o)
	if got := s.Condition(); got != (Condition{}) || show(t, s, "new") != "x" {
		t.Errorf("Condition after the refill = %+v", got)
	}
}

func TestAFolderInUseIsNotSetAside(t *testing.T) {
	o := options(vfs.Default)
	o.Dir = t.TempDir() + "/store"
	s := open(t, o)
	if _, err := Open(o); !errors.Is(err, mesh.Unavailable) {
		t.Errorf("Open of a folder in use = %v, want Unavailable", err)
	}
	apply(t, s, "k", lattice.SetKind, lattice.AddOp("x"))
	shut(t, s)
	if s = open(t, o); show(t, s, "k") != "x" {
		t.Error("the folder was set aside")
	}
}
