package store

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/hlc"
)

func key(name string) mesh.Key { return mesh.Key{Namespace: "default", Name: name} }

// options are those of a store on fs, whose clock is the computer's.
func options(fs vfs.FS) Options {
	return Options{
		Dir: "data", FS: fs, Node: "node-1", Clock: hlc.New("node-1", time.Now, 0),
		Log: slog.New(slog.DiscardHandler),
	}
}

func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func shut(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func apply(t testing.TB, s *Store, name string, kind lattice.Kind, op lattice.Op) lattice.Cell {
	t.Helper()
	delta, _, err := s.Apply(t.Context(), key(name), kind, op, mesh.Logged)
	if err != nil {
		t.Fatal(err)
	}
	return delta
}

func addDelta(elements ...string) lattice.Cell {
	delta, err := lattice.Cell{}.Apply(lattice.SetKind, lattice.AddOp(elements...), lattice.Write{})
	if err != nil {
		panic(err)
	}
	return delta
}

// show is what a key holds, for people: "" for a missing key, "deleted" for a deleted one.
func show(t testing.TB, s *Store, name string) string {
	t.Helper()
	cell, ok, err := s.Get(key(name))
	if err != nil {
		t.Fatal(err)
	}
	v, exists := cell.Value()
	switch {
	case !ok:
		return ""
	case !exists:
		return "deleted"
	case v.Kind() == lattice.LWWKind:
		payload, _ := v.Payload()
		return string(payload)
	case v.Kind() == lattice.GCounterKind:
		n, _ := v.Count()
		return fmt.Sprint(n)
	}
	return strings.Join(slices.Sorted(v.Elements()), " ")
}

func TestWhatIsWrittenIsReadAlsoAfterReopening(t *testing.T) {
	o := options(vfs.NewMem())
	s := open(t, o)
	apply(t, s, "greeting", lattice.LWWKind, lattice.SetOp([]byte("hello")))
	apply(t, s, "greeting", lattice.LWWKind, lattice.SetOp([]byte("goodbye")))
	apply(t, s, "tags", lattice.SetKind, lattice.AddOp("a"))
	apply(t, s, "tags", lattice.SetKind, lattice.AddOp("b", "a"))
	apply(t, s, "hits", lattice.GCounterKind, lattice.IncOp(2))
	apply(t, s, "hits", lattice.GCounterKind, lattice.IncOp(3))
	apply(t, s, "gone", lattice.LWWKind, lattice.SetOp([]byte("x")))
	if _, _, err := s.Delete(t.Context(), key("gone"), mesh.Synced); err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		for name, want := range map[string]string{"greeting": "goodbye", "tags": "a b", "hits": "5", "gone": "deleted", "never": ""} {
			if got := show(t, s, name); got != want {
				t.Errorf("%s holds %q, want %q", name, got, want)
			}
		}
	}
	check()
	shut(t, s)
	s = open(t, o)
	check()
	if got := s.Stats().Keys; got != 4 {
		t.Errorf("Stats count %d keys, want 4", got)
	}
}

func TestMergeSaysWhatItDid(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	merge := func(delta lattice.Cell, d mesh.Durability) mesh.Merged {
		t.Helper()
		merged, err := s.Merge(t.Context(), key("k"), delta, d)
		if err != nil {
			t.Fatal(err)
		}
		return merged
	}
	old := addDelta("a")
	if got := merge(old, mesh.DefaultDurability); got != (mesh.Merged{Grew: true, Created: true, Durability: mesh.Logged}) {
		t.Errorf("first merge: %+v", got)
	}
	if got := merge(old, mesh.Memory); got != (mesh.Merged{Durability: mesh.Memory}) {
		t.Errorf("the same again: %+v", got)
	}
	if got := merge(addDelta("b"), mesh.Synced); got != (mesh.Merged{Grew: true, Durability: mesh.Synced}) {
		t.Errorf("another element: %+v", got)
	}
	if _, _, err := s.Delete(t.Context(), key("k"), mesh.Logged); err != nil {
		t.Fatal(err)
	}
	if got := merge(addDelta("c"), mesh.Logged); got != (mesh.Merged{Dominated: true, Durability: mesh.Logged}) {
		t.Errorf("a delta from before the delete: %+v", got)
	}
	if got := show(t, s, "k"); got != "deleted" {
		t.Errorf("k holds %q", got)
	}
}

func TestKindMismatchChangesNothing(t *testing.T) {
	o := options(vfs.NewMem())
	o.MemoryBytes = 1 // every read is from disk
	for name, o := range map[string]Options{"in memory": options(vfs.NewMem()), "on disk": o} {
		t.Run(name, func(t *testing.T) {
			s := open(t, o)
			apply(t, s, "tags", lattice.SetKind, lattice.AddOp("a"))
			before, _, _ := s.Get(key("tags"))
			if _, _, err := s.Apply(t.Context(), key("tags"), lattice.LWWKind, lattice.SetOp([]byte("x")), mesh.Logged); !errors.Is(err, mesh.KindMismatch) {
				t.Errorf("Apply = %v, want KindMismatch", err)
			}
			foreign, _ := lattice.Cell{}.Apply(lattice.GCounterKind, lattice.IncOp(1), lattice.Write{Writer: "w"})
			if _, err := s.Merge(t.Context(), key("tags"), foreign, mesh.Logged); !errors.Is(err, mesh.KindMismatch) {
				t.Errorf("Merge = %v, want KindMismatch", err)
			}
			if _, _, err := s.Apply(t.Context(), key("tags"), lattice.SetKind, lattice.IncOp(1), mesh.Logged); !errors.Is(err, mesh.Invalid) {
				t.Errorf("a verb of another kind: %v, want Invalid", err)
			}
			shut(t, s)
			s = open(t, o)
			after, _, _ := s.Get(key("tags"))
			if after.Compare(before) != lattice.Equal {
				t.Errorf("changed from %v to %v", before, after)
			}
			if _, _, err := s.Delete(t.Context(), key("tags"), mesh.Logged); err != nil {
				t.Fatal(err)
			}
			apply(t, s, "tags", lattice.LWWKind, lattice.SetOp([]byte("another kind")))
			if got := show(t, s, "tags"); got != "another kind" {
				t.Errorf("after a delete the key holds %q", got)
			}
		})
	}
}

func TestAPutFollowsWhatTheKeyHolds(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	ahead := lattice.Stamp{Node: "z"}.Next(time.Now().Add(30 * time.Second))
	delta, _ := lattice.Cell{}.Apply(lattice.LWWKind, lattice.SetOp([]byte("from a fast clock")), lattice.Write{Stamp: ahead})
	if _, err := s.Merge(t.Context(), key("k"), delta, mesh.Logged); err != nil {
		t.Fatal(err)
	}
	apply(t, s, "k", lattice.LWWKind, lattice.SetOp([]byte("mine")))
	if got := show(t, s, "k"); got != "mine" {
		t.Errorf("k holds %q: the later put was lost to a fast clock", got)
	}
	far := lattice.Stamp{Node: "z"}.Next(time.Now().Add(time.Hour))
	delta, _ = lattice.Cell{}.Apply(lattice.LWWKind, lattice.SetOp([]byte("from next hour")), lattice.Write{Stamp: far})
	if _, err := s.Merge(t.Context(), key("k"), delta, mesh.Logged); !errors.Is(err, mesh.Invalid) {
		t.Errorf("Merge from the far future = %v, want Invalid", err)
	}
	if got := show(t, s, "k"); got != "mine" {
		t.Errorf("k holds %q", got)
	}
}

func TestListIsOrderedAndPaged(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	for _, name := range []string{"b", "a", "ab", "a\u00ff", "a\u00ff\u00ff", "c", "gone"} {
		apply(t, s, name, lattice.SetKind, lattice.AddOp("x"))
	}
	if _, _, err := s.Delete(t.Context(), key("gone"), mesh.Logged); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Merge(t.Context(), mesh.Key{Namespace: "other", Name: "a"}, addDelta("x"), mesh.Logged); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		prefix, after string
		limit         int
		want          string
		more          bool
	}{
		{"", "", 100, `["a" "ab" "aÿ" "aÿÿ" "b" "c"]`, false},
		{"", "", 2, `["a" "ab"]`, true},
		{"", "ab", 2, `["aÿ" "aÿÿ"]`, true},
		{"", "aÿÿ", 2, `["b" "c"]`, false},
		{"a", "", 100, `["a" "ab" "aÿ" "aÿÿ"]`, false},
		{"aÿ", "", 100, `["aÿ" "aÿÿ"]`, false},
		{"a", "zzz", 100, `[]`, false},
		{"b", "a", 100, `["b"]`, false},
		{"nothing", "", 100, `[]`, false},
	} {
		infos, more, err := s.List(t.Context(), "default", c.prefix, c.after, c.limit)
		var names []string
		for _, info := range infos {
			names = append(names, info.Name)
			if info.Kind != lattice.SetKind || info.Size == 0 {
				t.Errorf("%+v: want a set and its size", info)
			}
		}
		if got := fmt.Sprintf("%q", names); err != nil || got != c.want || more != c.more {
			t.Errorf("List(%q after %q, %d) = %s, %v, %v; want %s, %v", c.prefix, c.after, c.limit, got, more, err, c.want, c.more)
		}
	}
}

func TestConcurrentWritesUnderEviction(t *testing.T) {
	o := options(vfs.NewMem())
	o.MemoryBytes = 4 << 10
	s := open(t, o)
	const writers, each, keys = 8, 300, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				name := fmt.Sprint("k", (i*7+w)%keys)
				d := []mesh.Durability{mesh.Memory, mesh.Logged}[i%2]
				if _, _, err := s.Apply(t.Context(), key(name), lattice.GCounterKind, lattice.IncOp(1), d); err != nil {
					t.Error(err)
				}
				if _, _, err := s.Get(key(fmt.Sprint("k", i%keys))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	total := func() (sum int64) {
		for i := range keys {
			cell, _, err := s.Get(key(fmt.Sprint("k", i)))
			if err != nil {
				t.Fatal(err)
			}
			v, _ := cell.Value()
			n, _ := v.Count()
			sum += n
		}
		return sum
	}
	if got := total(); got != writers*each {
		t.Errorf("counted %d, want %d", got, writers*each)
	}
	if got := s.Stats().MemoryBytes; got > o.MemoryBytes {
		t.Errorf("%d bytes in memory, bound %d", got, o.MemoryBytes)
	}
	shut(t, s)
	s = open(t, o)
	if got := total(); got != writers*each {
		t.Errorf("after reopening: counted %d, want %d", got, writers*each)
	}
}

func TestOnGrowIsInOrderForEachKey(t *testing.T) {
	o := options(vfs.NewMem())
	var mu sync.Mutex
	seen := map[mesh.Key]lattice.Cell{}
	o.OnGrow = func(k mesh.Key, delta lattice.Cell) {
		mu.Lock()
		defer mu.Unlock()
		copied := seen[k]
		if grew, err := copied.Merge(delta); err != nil || !grew {
			t.Errorf("told of a delta of %v that adds nothing, or too late: %v", k, err)
		}
		seen[k] = copied
	}
	s := open(t, o)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 200 {
				apply(t, s, fmt.Sprint("k", i%3), lattice.GCounterKind, lattice.IncOp(1))
			}
		})
	}
	wg.Wait()
	for k, told := range seen {
		cell, _, _ := s.Get(k)
		if cell.Compare(told) != lattice.Equal {
			t.Errorf("%v: told %v, holds %v", k, told, cell)
		}
	}
}

func TestViewSeesTheCell(t *testing.T) {
	o := options(vfs.NewMem())
	s := open(t, o)
	apply(t, s, "tags", lattice.SetKind, lattice.AddOp("a", "b"))
	shut(t, s)
	s = open(t, o)
	for range 2 { // from disk, then from memory
		length := 0
		found, err := s.View(key("tags"), func(c *lattice.Cell) {
			v, _ := c.Value()
			length = v.Len()
		})
		if !found || err != nil || length != 2 {
			t.Errorf("View = %v, %v, length %d", found, err, length)
		}
	}
	if found, err := s.View(key("never"), func(*lattice.Cell) { t.Error("called without a cell") }); found || err != nil {
		t.Errorf("View of nothing = %v, %v", found, err)
	}
}

func TestGetFromMemoryAllocatesNothing(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	apply(t, s, "k", lattice.LWWKind, lattice.SetOp([]byte("v")))
	k := key("k")
	n := testing.AllocsPerRun(100, func() {
		if _, ok, err := s.Get(k); !ok || err != nil {
			t.Error(ok, err)
		}
	})
	if n != 0 {
		t.Errorf("Get allocates %v times", n)
	}
}

func TestAClosedStoreSaysSo(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	shut(t, s)
	shut(t, s)
	if _, err := s.Merge(t.Context(), key("k"), addDelta("a"), mesh.Synced); !errors.Is(err, mesh.Unavailable) {
		t.Errorf("Merge = %v, want Unavailable", err)
	}
	if _, _, err := s.Get(key("k")); !errors.Is(err, mesh.Unavailable) {
		t.Errorf("Get = %v, want Unavailable", err)
	}
	if err := s.AddHint("n", key("k"), addDelta("a")); !errors.Is(err, mesh.Unavailable) {
		t.Errorf("AddHint = %v, want Unavailable", err)
	}
	if err := <-awaited(s, "k"); !errors.Is(err, mesh.Unavailable) {
		t.Errorf("AwaitLater = %v, want Unavailable", err)
	}
	if _, _, err := s.List(t.Context(), "default", "", "", 1); !errors.Is(err, mesh.Unavailable) {
		t.Errorf("List = %v, want Unavailable", err)
	}
}

func TestWhatGetGaveDoesNotChange(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	apply(t, s, "tags", lattice.SetKind, lattice.AddOp("a"))
	before, _, _ := s.Get(key("tags"))
	apply(t, s, "tags", lattice.SetKind, lattice.AddOp("b"))
	if before.Compare(addDelta("a")) != lattice.Equal {
		t.Errorf("a cell that was handed out became %v", before)
	}
}
