package store

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

var crashSeed = flag.Uint64("crash-seed", 0, "the one schedule that TestCrashesLoseNoMoreThanTheyMay runs; 0: random ones")

// Writes of all durabilities go on while the memory tier is written back and
// evicted; then the process is killed, or the power is lost. Of each key there
// must be a state that it had, which has all that was safe.
func TestCrashesLoseNoMoreThanTheyMay(t *testing.T) {
	if *crashSeed != 0 {
		crash(t, *crashSeed)
		return
	}
	for range 25 {
		crash(t, rand.Uint64())
	}
}

// written is how many elements a key was given, one after another, and how
// many of them are safe from what.
type written struct{ all, logged, synced int }

func crash(t *testing.T, seed uint64) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Fatalf("replay with: go test ./node/store -run TestCrashesLoseNoMoreThanTheyMay -crash-seed %d", seed)
		}
	}()
	rng := rand.New(rand.NewPCG(seed, 0))
	fs := vfs.NewCrashableMem()
	o := inMemoryOnly(fs)
	o.SyncInterval = time.Hour
	o.MemoryBytes = []int64{4 << 10, 64 << 10, 64 << 20}[rng.IntN(3)]
	s := open(t, o)
	keys := map[string]*written{}
	for range 50 + rng.IntN(500) {
		switch n := rng.IntN(40); {
		case n == 0:
			settle(t, s)
		case n == 1:
			evict(s)
		case n == 2:
			digests(t, s)
		case n == 3:
			s.writeBack.Hurry()
		default:
			name := fmt.Sprint("k", rng.IntN(12))
			if keys[name] == nil {
				keys[name] = &written{}
			}
			writeOne(t, rng, s, name, keys)
		}
	}
	power := rng.IntN(2) == 0
	cfg := vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rng}
	if power {
		cfg.UnsyncedDataPercent = rng.IntN(101)
	}
	before := s.Writer()
	o.FS = fs.CrashClone(cfg)
	after := open(t, o)
	for name, w := range keys {
		safe := w.logged
		if power {
			safe = w.synced
		}
		checkPrefix(t, after, name, safe, w.all)
	}
	if after.Writer() == before {
		t.Error("the store writes under the same name, though it has lost dots of that name")
	}
	checkIndex(t, after)
	shut(t, after)
	shut(t, s)
}

// writeOne adds the next element to a key: a long one sometimes, so that some
// cells are written whole and some by what they grew by.
func writeOne(t *testing.T, rng *rand.Rand, s *Store, name string, keys map[string]*written) {
	t.Helper()
	w := keys[name]
	d := []mesh.Durability{mesh.Memory, mesh.Memory, mesh.Memory, mesh.Logged, mesh.Synced}[rng.IntN(5)]
	element := fmt.Sprintf("%04d", w.all)
	if rng.IntN(3) == 0 {
		element += strings.Repeat("x", rng.IntN(400))
	}
	kind, ttl := lattice.ORSetKind, time.Duration(0)
	if rng.IntN(10) == 0 {
		ttl = time.Hour + time.Duration(rng.IntN(1000))*time.Second
	}
	_, _, err := s.Change(t.Context(), key(name), d, func(have lattice.Cell, at lattice.Write) (lattice.Cell, error) {
		at.TTL = ttl
		return have.Apply(kind, lattice.AddOp(element), at)
	})
	if err != nil {
		t.Fatal(err)
	}
	w.all++
	if d != mesh.Memory {
		w.logged = w.all
	}
	if d == mesh.Synced {
		for _, other := range keys { // the log is synced as a whole
			other.synced = other.logged
		}
	}
}

// checkPrefix checks that a key holds the first elements that it was given: at
// least so many.
func checkPrefix(t *testing.T, s *Store, name string, safe, all int) {
	t.Helper()
	cell, _, err := s.Get(key(name))
	if err != nil {
		t.Error(err)
		return
	}
	value, _ := cell.Value()
	held := map[string]bool{}
	for element := range value.Elements() {
		held[element[:4]] = true
	}
	if len(held) < safe || len(held) > all {
		t.Errorf("%s holds %d elements: %d were safe, of %d", name, len(held), safe, all)
	}
	for i := range len(held) {
		if !held[fmt.Sprintf("%04d", i)] {
			t.Errorf("%s holds %d elements, and not number %d: a state that it never had", name, len(held), i)
		}
	}
}
