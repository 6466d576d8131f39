package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// dumbDigests computes the digests from all cells.
func dumbDigests(t testing.TB, s *Store) []uint64 {
	t.Helper()
	if err := s.settled(t.Context()); err != nil {
		t.Fatal(err)
	}
	digests := make([]uint64, mesh.Partitions)
	first := []byte{cellRecord}
	records, err := s.db.NewIter(&pebble.IterOptions{LowerBound: first, UpperBound: afterPrefix(first)})
	if err != nil {
		t.Fatal(err)
	}
	defer records.Close()
	for valid := records.First(); valid; valid = records.Next() {
		key, err := keyOfCell(records.Key())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := lattice.DecodeCell(records.Value()); err == nil {
			digests[key.Partition()] ^= digestOf(records.Key(), records.Value())
		}
	}
	if err := records.Error(); err != nil {
		t.Fatal(err)
	}
	return digests
}

func digests(t testing.TB, s *Store) []uint64 {
	t.Helper()
	d, err := s.Digests(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func entries(t testing.TB, s *Store, p mesh.Partition) []mesh.Entry {
	t.Helper()
	e, err := s.Entries(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// checkIndex compares digests, entries, held partitions and the count of keys with the cells.
func checkIndex(t testing.TB, s *Store) {
	t.Helper()
	want, got := dumbDigests(t, s), digests(t, s)
	held, err := s.Held(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	keys := 0
	for p := range mesh.Partition(mesh.Partitions) {
		if got[p] != want[p] {
			t.Fatalf("partition %v: digest %x, want %x", p, got[p], want[p])
		}
		if want[p] == 0 && !slices.Contains(held, p) && p%64 != 0 {
			continue // of the empty ones some are enough
		}
		var all uint64
		of := entries(t, s, p)
		for _, e := range of {
			all ^= e.Digest
		}
		if all != want[p] || (len(of) > 0) != slices.Contains(held, p) {
			t.Fatalf("partition %v: %d entries come to %x, want %x; held: %v", p, len(of), all, want[p], held)
		}
		if !slices.IsSortedFunc(of, func(a, b mesh.Entry) int { return int(int64(a.ID>>1) - int64(b.ID>>1)) }) {
			t.Fatalf("partition %v: entries are not in order", p)
		}
		keys += len(of)
	}
	if n := s.Stats().Keys; n != int64(keys) {
		t.Fatalf("Stats count %d keys, the index %d", n, keys)
	}
}

// evict empties the memory tier.
func evict(s *Store) {
	if err := s.settled(context.Background()); err != nil {
		panic(err)
	}
	s.cells.RemoveIf(func(mesh.Key, inMemory) bool { return true })
}

func TestDigestsAreThoseOfTheCells(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	fs := vfs.NewCrashableMem()
	s := open(t, options(fs))
	for range 1500 {
		k := key(fmt.Sprint("k", rng.IntN(100)))
		var err error
		switch n := rng.IntN(100); {
		case n < 60:
			d := []mesh.Durability{mesh.Memory, mesh.Logged}[rng.IntN(2)]
			_, _, err = s.Apply(t.Context(), k, lattice.SetKind, lattice.AddOp(fmt.Sprint(rng.IntN(50))), d)
		case n < 70:
			_, _, err = s.Delete(t.Context(), k, mesh.Memory)
		case n < 80:
			evict(s)
		case n < 88:
			p := k.Partition()
			digest, _ := s.Digest(t.Context(), p)
			if rng.IntN(4) == 0 {
				digest++
			}
			_, err = s.DropPartition(t.Context(), p, digest)
		case n < 94:
			_, err = s.Digest(t.Context(), k.Partition())
		case n < 96:
			checkIndex(t, s)
		case n < 98:
			shut(t, s)
			s = open(t, options(fs))
		default:
			fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
			shut(t, s)
			s = open(t, options(fs))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	checkIndex(t, s)
}

func TestEqualContentsHaveEqualDigests(t *testing.T) {
	rng := rand.New(rand.NewPCG(rand.Uint64(), 0))
	a, b := open(t, options(vfs.NewMem())), open(t, options(vfs.NewMem()))
	var deltas []mesh.Record
	for i := range 300 {
		name := fmt.Sprint("k", i%50)
		kind, op := lattice.SetKind, lattice.AddOp(fmt.Sprint(i))
		if i%50 > 25 {
			kind, op = lattice.ORSetKind, lattice.AddOp(fmt.Sprint(i%7))
		}
		deltas = append(deltas, mesh.Record{Key: key(name), Cell: apply(t, a, name, kind, op)})
		if i%13 == 0 {
			digests(t, a)
		}
	}
	rng.Shuffle(len(deltas), func(i, j int) { deltas[i], deltas[j] = deltas[j], deltas[i] })
	for i, delta := range deltas {
		if i == len(deltas)-1 && slices.Equal(digests(t, a), digests(t, b)) {
			t.Error("the digests are equal before the last delta")
		}
		if _, err := b.Merge(t.Context(), delta.Key, delta.Cell, mesh.Memory); err != nil {
			t.Fatal(err)
		}
		if i%17 == 0 {
			evict(b)
		}
	}
	if !slices.Equal(digests(t, a), digests(t, b)) {
		t.Error("the same deltas in another order have other digests")
	}
}

// Two stores are made equal by what Differing gives, a little at a time.
func TestDifferingAndMergeAllMakeStoresEqual(t *testing.T) {
	a, b := open(t, options(vfs.NewMem())), open(t, options(vfs.NewMem()))
	for i := range 200 {
		delta := apply(t, a, fmt.Sprint("k", i), lattice.SetKind, lattice.AddOp("x"))
		if i%2 == 0 {
			if _, err := b.Merge(t.Context(), key(fmt.Sprint("k", i)), delta, mesh.Memory); err != nil {
				t.Fatal(err)
			}
		}
		if i%10 == 0 {
			apply(t, a, fmt.Sprint("k", i), lattice.SetKind, lattice.AddOp("y"))
		}
	}
	moved := 0
	want := digests(t, a)
	for p := range mesh.Partition(mesh.Partitions) {
		have := entries(t, b, p)
		for from, done := uint64(0), false; !done; {
			records, next, end, err := a.Differing(t.Context(), p, have, from, 1)
			if err != nil {
				t.Fatal(err)
			}
			if !end && (len(records) != 1 || next <= from) {
				t.Fatalf("partition %v: %d cells within 1 byte, then from %x to %x", p, len(records), from, next)
			}
			if err := b.MergeAll(t.Context(), records, mesh.Logged); err != nil {
				t.Fatal(err)
			}
			moved += len(records)
			from, done = next, end
		}
	}
	if !slices.Equal(digests(t, b), want) {
		t.Error("the stores differ")
	}
	if moved != 120 {
		t.Errorf("%d cells were given, want the 120 that differed", moved)
	}
}

func TestKeysWithTheSameIDAreToldApart(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	apply(t, s, "a", lattice.SetKind, lattice.AddOp("x"))
	apply(t, s, "b", lattice.SetKind, lattice.AddOp("y"))
	digests(t, s)
	// No two names with the same first 8 bytes of SHA-256 are at hand, so the index entry of b moves to a's.
	id := key("a").ID()
	other := key("b").ID()
	moved := append(appendIndexFrom(nil, id.Partition(), id.Prefix()), key("b").Path()...)
	value, closer, err := s.db.Get(appendIndexKey(nil, key("b")))
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(s.db.Set(moved, value, nil), closer.Close(), s.db.Delete(appendIndexKey(nil, key("b")), nil))
	if err != nil {
		t.Fatal(err)
	}
	s.table.removed(other.Partition())
	s.table.changed(id.Partition(), true)
	of := entries(t, s, id.Partition())
	if len(of) != 2 || of[0].ID != of[1].ID || of[0].Digest == of[1].Digest {
		t.Fatalf("entries %v: want two with one id", of)
	}
	for name, have := range map[string][]mesh.Entry{"b": of[:1], "a": of[1:]} {
		records, _, done, err := s.Differing(t.Context(), id.Partition(), have, 0, 1)
		if err != nil || !done || len(records) != 1 || records[0].Key != key(name) {
			t.Errorf("Differing = %v, %v, %v: want %s", records, done, err, name)
		}
	}
	if records, _, done, err := s.Differing(t.Context(), id.Partition(), nil, 0, 1); err != nil || !done || len(records) != 2 {
		t.Errorf("Differing from nothing = %v, %v, %v: want both at once", records, done, err)
	}
}

func TestMergeAllMergesWhatFits(t *testing.T) {
	var grew []string
	o := options(vfs.NewMem())
	o.OnGrow = func(k mesh.Key, _ lattice.Cell) { grew = append(grew, k.Name) }
	s := open(t, o)
	apply(t, s, "counter", lattice.GCounterKind, lattice.IncOp(1))
	far := lattice.NewCell(lattice.Stamp{Time: 1 << 62}, lattice.Value{})
	grew = nil
	err := s.MergeAll(t.Context(), []mesh.Record{
		{Key: key("a"), Cell: addDelta("x")}, {Key: key("counter"), Cell: addDelta("x")},
		{Key: key("far"), Cell: far}, {Key: key("b"), Cell: addDelta("y")}, {Key: key("b"), Cell: addDelta("y")},
	}, mesh.Synced)
	if !errors.Is(err, mesh.KindMismatch) {
		t.Errorf("MergeAll = %v, want the refusal of the counter", err)
	}
	if fmt.Sprint(grew) != "[a b]" {
		t.Errorf("told of growth: %v, want a and b", grew)
	}
	for name, want := range map[string]string{"a": "x", "b": "y", "counter": "1", "far": ""} {
		if got := show(t, s, name); got != want {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
}

func TestDropPartitionRemovesNothingElse(t *testing.T) {
	o := options(vfs.NewMem())
	s := open(t, o)
	for i := range 100 {
		apply(t, s, fmt.Sprint("k", i), lattice.SetKind, lattice.AddOp("x"))
	}
	p := key("k7").Partition()
	before := digests(t, s)
	if dropped, err := s.DropPartition(t.Context(), p, before[p]+1); dropped || err != nil {
		t.Errorf("DropPartition with another digest = %v, %v", dropped, err)
	}
	if show(t, s, "k7") != "x" {
		t.Error("a refused drop removed the key")
	}
	if dropped, err := s.DropPartition(t.Context(), p, before[p]); !dropped || err != nil {
		t.Fatalf("DropPartition = %v, %v", dropped, err)
	}
	check := func() {
		t.Helper()
		for i := range 100 {
			name := fmt.Sprint("k", i)
			if got := show(t, s, name); (got == "") != (key(name).Partition() == p) {
				t.Errorf("%s holds %q after its partition %v was dropped or not", name, got, key(name).Partition())
			}
		}
		checkIndex(t, s)
	}
	check()
	shut(t, s)
	s = open(t, o)
	check()
}

// Dots given out before a drop must not be given out again after it.
func TestTheWriterIsNewInADroppedPartition(t *testing.T) {
	o := options(vfs.NewMem())
	s := open(t, o)
	counted := mesh.Record{Key: key("k"), Cell: apply(t, s, "k", lattice.GCounterKind, lattice.IncOp(1))}
	for want := 2; want < 5; want++ {
		p := counted.Key.Partition()
		if dropped, err := s.DropPartition(t.Context(), p, digests(t, s)[p]); !dropped || err != nil {
			t.Fatal(dropped, err)
		}
		if want == 3 {
			shut(t, s)
			s = open(t, o)
		}
		more := apply(t, s, "k", lattice.GCounterKind, lattice.IncOp(1))
		if err := s.MergeAll(t.Context(), []mesh.Record{counted}, mesh.Memory); err != nil {
			t.Fatal(err)
		}
		if got := show(t, s, "k"); got != fmt.Sprint(want) {
			t.Fatalf("counted %s, want %d", got, want)
		}
		if _, err := counted.Cell.Merge(more); err != nil {
			t.Fatal(err)
		}
	}
	if got := show(t, s, "k"); len(s.writerFor(key("k"))) == len(s.Writer()) {
		t.Errorf("k, which holds %s, is written under the store's own name", got)
	}
}

// Writers go on while digests are computed and partitions dropped; in the end all is consistent,
// and what was written after the last drop is there.
func TestDigestsAndDropsBesideWrites(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var writers, droppers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for i := range 1500 {
				k := key(fmt.Sprint("k", i%20))
				if _, _, err := s.Apply(t.Context(), k, lattice.SetKind, lattice.AddOp(fmt.Sprint(w, i)), mesh.Memory); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	droppers.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			p := key(fmt.Sprint("k", i%20)).Partition()
			digest, err := s.Digest(t.Context(), p)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := s.DropPartition(t.Context(), p, digest); err != nil {
				t.Error(err)
				return
			}
		}
	})
	droppers.Go(func() {
		for ctx.Err() == nil {
			if _, err := s.Digests(t.Context()); err != nil {
				t.Error(err)
				return
			}
		}
	})
	writers.Wait()
	stop()
	droppers.Wait()
	checkIndex(t, s)
}
