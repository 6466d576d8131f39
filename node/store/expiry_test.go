package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// keep writes to a set that is kept for ttl, or as long as before with 0.
func keep(t testing.TB, s *Store, name, element string, ttl time.Duration) {
	t.Helper()
	_, _, err := s.Change(t.Context(), key(name), mesh.Logged, func(have lattice.Cell, at lattice.Write) (lattice.Cell, error) {
		at.TTL = ttl
		return have.Apply(lattice.SetKind, lattice.AddOp(element), at)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// expired gives the names of all keys that have expired, a few at a time.
func expired(t testing.TB, s *Store) []string {
	t.Helper()
	var names []string
	var after mesh.Expiring
	for more := true; more; {
		found, last, others, err := s.Expired(t.Context(), after, time.Now(), 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range found {
			names = append(names, e.Key.Name)
		}
		after, more = last, others
	}
	return names
}

// dumbExpired looks at all cells of some names.
func dumbExpired(t testing.TB, s *Store, names []string) []string {
	t.Helper()
	var found []string
	for _, name := range names {
		cell, ok, err := s.Get(key(name))
		if err != nil {
			t.Fatal(err)
		}
		if ok && cell.Expired(time.Now) {
			found = append(found, name)
		}
	}
	return found
}

func expects(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q have expired, want %q", what, got, want)
	}
}

func TestExpiredKeysAreFoundInOrderAlsoAfterACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewCrashableMem()
		s := open(t, options(fs))
		keep(t, s, "b", "x", 2*time.Second)
		keep(t, s, "a", "x", 3*time.Second)
		keep(t, s, "c", "x", time.Second)
		keep(t, s, "put off", "x", time.Second)
		keep(t, s, "put off", "y", time.Hour)
		keep(t, s, "kept", "x", 0)
		keep(t, s, "deleted", "x", time.Second)
		if _, _, err := s.Delete(t.Context(), key("deleted"), mesh.Synced); err != nil {
			t.Fatal(err)
		}
		expects(t, "at once", expired(t, s))
		time.Sleep(2 * time.Second)
		expects(t, "after 2 s", expired(t, s), "c", "b")
		evict(s)
		expects(t, "from the disk", expired(t, s), "c", "b")
		if keys, _, err := s.List(t.Context(), "default", "", "", 10); err != nil || len(keys) != 3 {
			t.Errorf("listed %v, %v: want the 3 keys that have not expired", keys, err)
		}
		crashed := open(t, options(fs.CrashClone(vfs.CrashCloneCfg{})))
		time.Sleep(time.Second)
		expects(t, "after a crash", expired(t, crashed), "c", "b", "a")
		shut(t, s)
		shut(t, crashed)
	})
}

func TestRecordsOfExpiryFollowTheCells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		rng := rand.New(rand.NewPCG(seed, 0))
		o := options(vfs.NewMem())
		s := open(t, o)
		var names []string
		for i := range 12 {
			names = append(names, fmt.Sprintf("k%02d", i))
		}
		for range 400 {
			name := names[rng.IntN(len(names))]
			switch rng.IntN(8) {
			case 0:
				if _, _, err := s.Delete(t.Context(), key(name), mesh.Memory); err != nil {
					t.Fatal(err)
				}
			case 1:
				evict(s)
			case 2:
				if _, err := s.Digests(t.Context()); err != nil {
					t.Fatal(err)
				}
				entries := entries(t, s, key(name).Partition())
				if len(entries) == 1 {
					if _, err := s.DropPartition(t.Context(), key(name).Partition(), entries[0].Digest); err != nil {
						t.Fatal(err)
					}
				}
			default:
				keep(t, s, name, fmt.Sprint(rng.IntN(3)), time.Duration(rng.IntN(4))*time.Second)
			}
			time.Sleep(time.Duration(rng.IntN(400)) * time.Millisecond)
			got := expired(t, s)
			slices.Sort(got)
			if want := dumbExpired(t, s, names); !slices.Equal(got, want) {
				t.Fatalf("%q have expired, want %q", got, want)
			}
		}
		shut(t, s)
	})
}

func TestAWriteToAnExpiredKeyBeginsItAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, options(vfs.NewMem()))
		keep(t, s, "k", "old", time.Second)
		time.Sleep(time.Second)
		apply(t, s, "k", lattice.SetKind, lattice.AddOp("new"))
		if got := show(t, s, "k"); got != "new" {
			t.Errorf("holds %q", got)
		}
		expects(t, "begun anew", expired(t, s))
		shut(t, s)
	})
}

func TestAChangeThatIsRefusedChangesNothing(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	refusal := mesh.Errorf(mesh.Conflict, "swap", "no")
	_, _, err := s.Change(t.Context(), key("k"), mesh.Logged, func(have lattice.Cell, _ lattice.Write) (lattice.Cell, error) {
		return lattice.Cell{}, refusal
	})
	if !errors.Is(err, mesh.Conflict) || show(t, s, "k") != "" {
		t.Errorf("got %v", err)
	}
	_, merged, err := s.Change(t.Context(), key("k"), mesh.Logged, func(lattice.Cell, lattice.Write) (lattice.Cell, error) {
		return lattice.Cell{}, nil
	})
	if err != nil || merged.Grew || show(t, s, "k") != "" {
		t.Errorf("got %+v, %v", merged, err)
	}
}
