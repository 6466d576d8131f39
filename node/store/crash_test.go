package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// victimDir tells a run of the test binary that it is to write to a store
// there until it is killed.
const victimDir = "VIRGA_TEST_STORE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		writeUntilKilled(dir)
	}
	os.Exit(m.Run())
}

// writeUntilKilled says on its output which keys were acknowledged.
func writeUntilKilled(dir string) {
	o := options(vfs.Default)
	o.Dir = dir
	o.SyncInterval = time.Hour // nothing but the commit itself may save the write
	s, err := Open(o)
	if err != nil {
		panic(err)
	}
	for i := 0; ; i++ {
		k := key(fmt.Sprint("k", i))
		if _, _, err := s.Apply(context.Background(), k, lattice.SetKind, lattice.AddOp("x"), mesh.Logged); err != nil {
			panic(err)
		}
		fmt.Println(k.Name)
	}
}

func TestALoggedWriteSurvivesSIGKILL(t *testing.T) {
	for run := range 3 {
		dir := t.TempDir()
		acked := killAfter(t, dir, 1+run*50)
		o := options(vfs.Default)
		o.Dir = dir
		s := open(t, o)
		for _, name := range acked {
			if got := show(t, s, name); got != "x" {
				t.Errorf("%s was acknowledged as logged, and is lost", name)
			}
		}
		shut(t, s)
	}
}

// killAfter lets another process write, and kills it on the spot after it has
// acknowledged some writes. It gives all that were acknowledged.
func killAfter(t *testing.T, dir string, writes int) (acked []string) {
	victim := exec.Command(os.Args[0])
	victim.Env = append(os.Environ(), victimDir+"="+dir)
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if acked = append(acked, lines.Text()); len(acked) == writes {
			if err := victim.Process.Signal(syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = victim.Wait() // killed
	if len(acked) < writes {
		t.Fatalf("the victim ended by itself after %d writes", len(acked))
	}
	return acked
}

func TestPowerLoss(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 20 {
		fs := vfs.NewCrashableMem()
		o := options(fs)
		s := open(t, o)
		synced, wrote := map[string]bool{}, 0
		var logged []string
		for range 1 + rng.IntN(200) {
			name := fmt.Sprint("k", wrote)
			wrote++
			d := []mesh.Durability{mesh.Memory, mesh.Logged, mesh.Logged, mesh.Synced}[rng.IntN(4)]
			if _, _, err := s.Apply(t.Context(), key(name), lattice.SetKind, lattice.AddOp(strings.Repeat("x", rng.IntN(2000))), d); err != nil {
				t.Fatal(err)
			}
			if d != mesh.Memory {
				logged = append(logged, name)
			}
			if d == mesh.Synced { // then all that was logged before it is, too
				for _, name := range logged {
					synced[name] = true
				}
			}
		}
		o.FS = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		before := s.Writer()
		restarted := open(t, o)
		for name := range synced {
			if _, ok, err := restarted.Get(key(name)); !ok || err != nil {
				t.Fatalf("%s was synced, and is lost: %v", name, err)
			}
		}
		if restarted.Writer() == before {
			t.Error("the store writes under the same name, though it may have lost dots of that name")
		}
		shut(t, s)
		shut(t, restarted)
	}
}

func TestTheGroupSyncBoundsWhatPowerLossTakes(t *testing.T) {
	fs := vfs.NewCrashableMem()
	o := options(fs)
	o.SyncInterval = time.Millisecond
	s := open(t, o)
	for _, d := range []mesh.Durability{mesh.Memory, mesh.Logged} {
		name := d.String()
		if _, _, err := s.Apply(t.Context(), key(name), lattice.SetKind, lattice.AddOp("x"), d); err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(10 * time.Second)
		for {
			after := o
			after.FS = fs.CrashClone(vfs.CrashCloneCfg{})
			crashed := open(t, after)
			_, ok, err := crashed.Get(key(name))
			shut(t, crashed)
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("a write with durability %v never reached the disk", d)
			}
		}
	}
}

var errFull = syscall.ENOSPC

// failing makes operations of one kind on the log fail from the moment that it is armed.
type failing struct {
	kind  errorfs.OpKind
	path  string
	armed errorfs.Toggle
}

func (f *failing) String() string { return "failing" }

func (f *failing) MaybeError(op errorfs.Op) error {
	if op.Kind == f.kind && strings.Contains(op.Path, f.path) {
		return f.armed.MaybeError(op)
	}
	return nil
}

func failOn(kind errorfs.OpKind, path string) *failing {
	f := &failing{kind: kind, path: path}
	f.armed = errorfs.Toggle{Injector: errorfs.InjectorFunc(func(errorfs.Op) error { return errFull })}
	return f
}

func TestAfterAFailedWriteNothingIsAcknowledged(t *testing.T) {
	for _, c := range []struct {
		name string
		kind errorfs.OpKind
		path string
		d    mesh.Durability
	}{
		{"full disk at a write", errorfs.OpFileWrite, "log", mesh.Logged},
		{"full disk at a write, synced", errorfs.OpFileWrite, "log", mesh.Synced},
		{"failed fsync", errorfs.OpFileSyncData, "log", mesh.Synced},
		{"full disk at a new log", errorfs.OpCreate, "log", mesh.Logged},
		{"full disk at a table", errorfs.OpFileWrite, ".sst", mesh.Logged},
		{"failed fsync of a table", errorfs.OpFileSyncData, ".sst", mesh.Logged},
		{"full disk at a new table", errorfs.OpCreate, ".sst", mesh.Logged},
		{"full disk at the manifest", errorfs.OpFileWrite, "MANIFEST", mesh.Logged},
		{"failed fsync of the manifest", errorfs.OpFileSync, "MANIFEST", mesh.Logged},
	} {
		t.Run(c.name, func(t *testing.T) {
			mem := vfs.NewMem()
			fault := failOn(c.kind, c.path)
			o := options(errorfs.Wrap(mem, fault))
			s := open(t, o)
			apply(t, s, "before", lattice.SetKind, lattice.AddOp("x"))
			fault.armed.On()
			acked := writeUntilRefused(t, s, c.d)
			if err := s.Failed(); !errors.Is(err, mesh.Unavailable) || !errors.Is(err, errFull) {
				t.Errorf("Failed = %v, want Unavailable because of the disk", err)
			}
			if _, _, err := s.Get(key("before")); !errors.Is(err, mesh.Unavailable) {
				t.Errorf("Get from a failed store = %v, want Unavailable", err)
			}
			if err := s.Close(); !errors.Is(err, mesh.Unavailable) {
				t.Errorf("Close of a failed store = %v, want its failure", err)
			}
			s = open(t, options(copyOf(t, mem))) // the engine may hold the folder to its end
			for _, name := range append(acked, "before") {
				if _, ok, err := s.Get(key(name)); !ok || err != nil {
					t.Errorf("%s was acknowledged, and is lost: %v", name, err)
				}
			}
		})
	}
}

// The engine compacts when it likes, so that here it is its listener that is
// told of the full disk.
func TestAFullDiskWhileCompacting(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	told := engineOptions(s.logs, "log", s.log, &s.fail, s.onCorruption).EventListener.BackgroundError
	told(pebble.ErrCorruption)
	if err := s.Failed(); err != nil {
		t.Errorf("Failed = %v because of damage, which is mended", err)
	}
	told(fmt.Errorf("compacting: %w", errFull))
	if _, _, err := s.Apply(t.Context(), key("a"), lattice.SetKind, lattice.AddOp("y"), mesh.Memory); !errors.Is(err, errFull) {
		t.Errorf("Apply = %v, want the failure", err)
	}
	if err := s.Failed(); !errors.Is(err, mesh.Unavailable) || !errors.Is(err, errFull) {
		t.Errorf("Failed = %v, want Unavailable because of the disk", err)
	}
}

// A disk that cannot be written is an error of Open, and no reason to set the
// folder aside.
func TestOpenOnABrokenDisk(t *testing.T) {
	writing := map[errorfs.OpKind]bool{
		errorfs.OpCreate: true, errorfs.OpFileWrite: true, errorfs.OpRemove: true, errorfs.OpRename: true,
		errorfs.OpMkdirAll: true, errorfs.OpReuseForWrite: true, errorfs.OpOpenDir: true, errorfs.OpFileSync: true, errorfs.OpFileSyncData: true,
	}
	for _, cause := range []error{syscall.EROFS, syscall.EACCES, syscall.ENOSPC} {
		for after := range 6 {
			mem := vfs.NewMem()
			s := open(t, options(mem))
			apply(t, s, "k", lattice.SetKind, lattice.AddOp("x"))
			shut(t, s)
			count := 0
			broken := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
				if !writing[op.Kind] {
					return nil
				}
				if count++; count <= after {
					return nil
				}
				return cause
			}))
			if _, err := Open(options(broken)); !errors.Is(err, mesh.Unavailable) || !errors.Is(err, cause) {
				t.Errorf("Open with %v after %d writes = %v, want Unavailable because of it", cause, after, err)
			}
			if s = open(t, options(mem)); show(t, s, "k") != "x" {
				t.Errorf("%v after %d writes: the key is gone", cause, after)
			}
			shut(t, s)
		}
	}
}

// writeUntilRefused gives the keys that were acknowledged before the first refusal.
func writeUntilRefused(t *testing.T, s *Store, d mesh.Durability) (acked []string) {
	large := strings.Repeat("x", 1<<20)
	for i := range 200 {
		name := fmt.Sprint("k", i)
		_, _, err := s.Apply(t.Context(), key(name), lattice.SetKind, lattice.AddOp(large), d)
		if err != nil {
			if !errors.Is(err, mesh.Unavailable) || !errors.Is(err, errFull) {
				t.Errorf("the write was refused with %v, want Unavailable because of the disk", err)
			}
			return acked
		}
		acked = append(acked, name)
	}
	t.Errorf("%d writes to a broken disk were acknowledged", len(acked))
	return acked
}
