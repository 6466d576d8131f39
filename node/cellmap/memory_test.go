package cellmap

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// A key of 8 bytes with a register of 8 bytes takes at most 150 bytes, and the
// map knows how many.
func TestASmallKeyTakesLittleMemory(t *testing.T) {
	const keys = 300_000
	heap := func() int64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	before := heap()
	m := New[byte](1<<30, nil)
	for i := range keys {
		encoded := register(t, i).AppendBinary(nil)
		cell, err := lattice.DecodeCell(encoded) // as from another node, or from the disk
		if err != nil {
			t.Fatal(err)
		}
		l := m.Lock(mesh.Key{Namespace: "default", Name: fmt.Sprintf("%08d", i)})
		l.Insert(cell, 0)
		l.Unlock()
	}
	taken, counted := heap()-before, m.Bytes()
	t.Logf("%d bytes for each key, counted as %d", taken/keys, counted/keys)
	if taken > 150*keys {
		t.Errorf("%d bytes for each key: expected at most 150", taken/keys)
	}
	if counted < taken*9/10 || counted > taken*11/10 {
		t.Errorf("%d bytes for each key, counted as %d: expected the same within a tenth", taken/keys, counted/keys)
	}
	runtime.KeepAlive(m)
}

func register(t *testing.T, i int) lattice.Cell {
	t.Helper()
	cell, err := lattice.Cell{}.Apply(lattice.LWWKind, lattice.SetOp([]byte(fmt.Sprintf("%08d", i))), lattice.Write{
		Stamp: lattice.Stamp{Time: uint64(1<<56 + i), Node: "12D3KooWGRUFmMLLqmqv5tTHG83nMoBXSj37oVvYkYHVSgW3xkUd"},
		Born:  lattice.NewBirth(time.UnixMilli(int64(1_800_000_000_000 + i%100*60_000))),
	})
	if err != nil {
		t.Fatal(err)
	}
	return cell
}
