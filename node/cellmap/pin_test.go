package cellmap

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

func pin(m *Map[int], k mesh.Key) (anew bool) {
	l := m.Lock(k)
	defer l.Unlock()
	return l.Pin(true)
}

// takeAll takes and ends what is pinned, and gives its keys.
func takeAll(m *Map[int]) (keys []mesh.Key) {
	for shard := range Shards {
		taken, _ := m.TakePinned(shard, m.Pins(shard), nil, func(l *Locked[int]) bool {
			keys = append(keys, l.Key())
			return true
		})
		m.Done(taken)
	}
	return keys
}

func TestWhatIsPinnedStaysUntilItIsDone(t *testing.T) {
	const limit = 64 << 10
	m := New[int](limit, nil)
	insert(m, key(-1), setOf("kept"), 0)
	if !pin(m, key(-1)) || pin(m, key(-1)) {
		t.Error("Pin does not say whether it is the first")
	}
	crowd := func() (kept bool) {
		for i := range 3000 {
			insert(m, key(i), setOf("x"), 0)
		}
		_, kept = m.Peek(key(-1))
		return kept
	}
	if !crowd() {
		t.Fatal("a pinned cell was let go")
	}
	if m.PinnedBytes() <= 0 {
		t.Errorf("%d bytes pinned", m.PinnedBytes())
	}
	shard := m.ShardOf(key(-1))
	taken, looked := m.TakePinned(shard, 10, nil, func(*Locked[int]) bool { return true })
	if len(taken) != 1 || looked != 1 || m.PinnedBytes() != 0 {
		t.Errorf("took %d of %d, and %d bytes are pinned", len(taken), looked, m.PinnedBytes())
	}
	if !crowd() {
		t.Fatal("a cell that was taken was let go before it was done")
	}
	if !pin(m, key(-1)) {
		t.Error("a cell that was taken cannot be pinned anew")
	}
	m.Done(taken)
	if !crowd() {
		t.Fatal("a cell that was pinned anew was let go")
	}
	if got := takeAll(m); len(got) != 1 {
		t.Errorf("took %v", got)
	}
	if crowd() {
		t.Error("a cell that is done is never let go")
	}
}

func TestAMapOfPinnedCellsCannotBeTrimmed(t *testing.T) {
	m := New[int](1000, nil)
	for i := range 100 {
		l := m.Lock(key(i))
		l.Insert(setOf("x"), 0)
		l.Pin(true)
		l.Unlock()
		m.Trim()
	}
	if m.Len() != 100 || m.PinnedBytes() != m.Bytes() {
		t.Errorf("%d cells of %d bytes, %d of them pinned", m.Len(), m.Bytes(), m.PinnedBytes())
	}
	takeAll(m)
	if m.Trim(); m.Bytes() > 1000 || m.PinnedBytes() != 0 {
		t.Errorf("%d bytes held, %d pinned", m.Bytes(), m.PinnedBytes())
	}
}

// A map is the same as Go's, whatever is done to it, when memory is given
// back and entries move as well.
func TestTheMapIsAMap(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	m := New[int](1<<30, nil)
	want := map[mesh.Key]int{}
	dirty := map[mesh.Key]bool{}
	name := func() mesh.Key {
		return mesh.Key{Namespace: fmt.Sprint("n", rng.IntN(3)), Name: fmt.Sprint(rng.IntN(20000))}
	}
	for phase := range 6 {
		for range 30000 {
			k := name()
			l := m.Lock(k)
			switch _, held := want[k]; {
			case held != (l.Peek() != nil):
				t.Fatalf("%v: held %v, want %v", k, !held, held)
			case phase%2 == 0 || rng.IntN(50) == 0:
				l.Insert(setOf("x"), phase)
				want[k] = phase
				if rng.IntN(10) == 0 {
					l.Pin(true)
					dirty[k] = true
				}
			case held && !dirty[k]:
				l.Remove()
				delete(want, k)
			}
			l.Unlock()
		}
		for _, k := range takeAll(m) {
			if !dirty[k] {
				t.Fatalf("%v was not pinned", k)
			}
			delete(dirty, k)
		}
		if len(dirty) != 0 {
			t.Fatalf("%d pinned cells were not taken", len(dirty))
		}
	}
	if m.Len() != len(want) {
		t.Fatalf("%d cells, want %d", m.Len(), len(want))
	}
	seen := 0
	m.EachCell(func(k mesh.Key, _ *lattice.Cell, meta int) {
		if seen++; want[k] != meta {
			t.Errorf("%v has %d beside it, want %d", k, meta, want[k])
		}
	})
	if seen != len(want) {
		t.Errorf("saw %d cells, want %d", seen, len(want))
	}
	m.RemoveIf(func(mesh.Key, int) bool { return true })
	if m.Len() != 0 || m.Bytes() != 0 {
		t.Errorf("after removing all: %d cells of %d bytes", m.Len(), m.Bytes())
	}
}

func TestManyNamespaces(t *testing.T) {
	m := New[int](1<<30, nil)
	at := func(i int) mesh.Key { return mesh.Key{Namespace: fmt.Sprint("space-", i), Name: "k"} }
	const n = maxSpaces + 100
	for i := range n {
		insert(m, at(i), setOf("x"), i)
	}
	for i := range n {
		if meta, ok := m.Peek(at(i)); !ok || meta != i {
			t.Fatalf("%v has %d beside it (%v), want %d", at(i), meta, ok, i)
		}
	}
	m.Each(func(k mesh.Key, _ int64, meta int) bool {
		if k != at(meta) {
			t.Errorf("%v: want %v", k, at(meta))
		}
		return true
	})
}
