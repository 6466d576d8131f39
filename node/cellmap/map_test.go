package cellmap

import (
	"fmt"
	"sync"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

func key(i int) mesh.Key { return mesh.Key{Namespace: "default", Name: fmt.Sprint("k", i)} }

func setOf(elements ...string) lattice.Cell {
	delta, err := lattice.Cell{}.Apply(lattice.SetKind, lattice.AddOp(elements...), lattice.Write{})
	if err != nil {
		panic(err)
	}
	return delta
}

func length(c lattice.Cell) int {
	v, _ := c.Value()
	return v.Len()
}

func insert[M any](m *Map[M], k mesh.Key, c lattice.Cell, meta M) {
	l := m.Lock(k)
	l.Insert(c, meta)
	l.Unlock()
	m.Trim()
}

func add(t *testing.T, m *Map[int], k mesh.Key, delta lattice.Cell) {
	t.Helper()
	l := m.Lock(k)
	defer l.Unlock()
	if _, err := l.Mutable().Merge(delta); err != nil {
		t.Fatal(err)
	}
}

func TestWhatWasHandedOutNeverChanges(t *testing.T) {
	m := New[int](1<<20, nil)
	insert(m, key(1), setOf("a"), 7)
	before, meta, ok := m.Get(key(1))
	if !ok || meta != 7 || length(before) != 1 {
		t.Fatalf("Get = %v, %d, %v", before, meta, ok)
	}
	add(t, m, key(1), setOf("b"))
	after, _, _ := m.Get(key(1))
	add(t, m, key(1), setOf("c"))
	add(t, m, key(1), setOf("d"))
	m.View(key(1), func(c *lattice.Cell) {
		if length(before) != 1 || length(after) != 2 || length(*c) != 4 {
			t.Errorf("lengths %d, %d, %d: want 1, 2, 4", length(before), length(after), length(*c))
		}
	})
}

func TestChangesBetweenReadsAreInPlace(t *testing.T) {
	m := New[int](1<<30, nil)
	elements := make([]string, 100_000)
	for i := range elements {
		elements[i] = fmt.Sprint(i)
	}
	insert(m, key(1), setOf(elements...), 0)
	m.Get(key(1))
	add(t, m, key(1), setOf("first copies"))
	delta := setOf("more")
	if n := testing.AllocsPerRun(10, func() { add(t, m, key(1), delta) }); n > 2 {
		t.Errorf("a change takes %v allocations: the set is copied", n)
	}
}

func TestTheBoundHoldsAndTheUsedStay(t *testing.T) {
	const limit = 64 << 10
	var evicted sync.Map
	m := New(limit, func(k mesh.Key, _ int) { evicted.Store(k, true) })
	hot := key(-1)
	insert(m, hot, setOf("hot"), 0)
	for i := range 5000 {
		insert(m, key(i), setOf("x"), 0)
		if m.Bytes() > limit {
			t.Fatalf("%d bytes held, limit %d", m.Bytes(), limit)
		}
		if _, _, ok := m.Get(hot); !ok {
			t.Fatalf("the key in use was let go after %d others", i)
		}
	}
	held := 0
	for i := range 5000 {
		_, _, has := m.Get(key(i))
		_, gone := evicted.Load(key(i))
		if has == gone {
			t.Fatalf("key %d: held %v, evicted %v", i, has, gone)
		}
		if has {
			held++
		}
	}
	if held+1 != m.Len() || held < 100 {
		t.Errorf("%d cells held, Len %d", held+1, m.Len())
	}
}

func TestACellLargerThanTheBoundIsNotKept(t *testing.T) {
	m := New[int](1000, nil)
	insert(m, key(1), setOf(string(make([]byte, 5000))), 0)
	if m.Len() != 0 || m.Bytes() != 0 {
		t.Errorf("%d cells of %d bytes held", m.Len(), m.Bytes())
	}
}

func TestGrowthIsAccountedFor(t *testing.T) {
	m := New[int](1<<30, nil)
	insert(m, key(1), setOf("a"), 0)
	before := m.Bytes()
	add(t, m, key(1), setOf(string(make([]byte, 10_000))))
	if grown := m.Bytes() - before; grown < 10_000 {
		t.Errorf("accounted for %d bytes more, want 10,000 at least", grown)
	}
	m.RemoveIf(func(k mesh.Key, _ int) bool { return k == key(1) })
	if m.Bytes() != 0 || m.Len() != 0 {
		t.Errorf("after removing all: %d bytes, %d cells", m.Bytes(), m.Len())
	}
}

func TestConcurrentReadersSeeWholeCells(t *testing.T) {
	m := New[int](8<<10, nil)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 2000 {
				k := key(i % 20)
				l := m.Lock(k)
				if l.Cell() == nil {
					l.Insert(setOf("0"), 0)
				} else if _, err := l.Mutable().Merge(setOf(fmt.Sprint(g, i))); err != nil {
					t.Error(err)
				}
				l.Unlock()
				m.Trim()
			}
		})
		wg.Go(func() {
			for i := range 2000 {
				if c, _, ok := m.Get(key(i % 20)); ok {
					if again := length(c); length(c) != again || again == 0 {
						t.Error("a cell changed while it was read")
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestGetAllocatesNothing(t *testing.T) {
	m := New[int](1<<20, nil)
	k := key(1)
	insert(m, k, setOf("a"), 0)
	if n := testing.AllocsPerRun(100, func() { m.Get(k) }); n != 0 {
		t.Errorf("Get allocates %v times", n)
	}
}

func BenchmarkGet(b *testing.B) {
	m := New[int](1<<30, nil)
	keys := make([]mesh.Key, 1<<16)
	for i := range keys {
		keys[i] = key(i)
		insert(m, keys[i], setOf("a"), 0)
	}
	i := 0
	for b.Loop() {
		i++
		m.Get(keys[i&(1<<16-1)])
	}
}
