package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/virga-mesh/virga/internal/bench"
)

const annaSuite = "anna"

// annaTimeout bounds each subject of the suite, with the filling of its data set.
const annaTimeout = 6 * time.Minute

// annaFigures are what the suite finds out that is not the rate or latency of an operation.
type annaFigures struct {
	heapPerKey  float64            // bytes that the heap grew by
	ownPerKey   float64            // bytes, as the store accounts them
	bytesPerAdd map[string]float64 // sent between nodes, by case
}

// anna measures the store: alone, and as nodes share it.
func (b *benchRun) anna(ctx context.Context) error {
	for _, subject := range []func(*benchRun, context.Context) error{
		(*benchRun).annaStore,
		(*benchRun).annaMemory,
		(*benchRun).annaLoad,
		(*benchRun).annaSets,
		(*benchRun).annaPush,
		(*benchRun).annaChanges,
		(*benchRun).annaRestart,
	} {
		within, cancel := context.WithTimeout(ctx, annaTimeout)
		err := subject(b, within)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// wantsAny reports whether one of the cases is wanted.
func (b *benchRun) wantsAny(names ...string) bool {
	for _, name := range names {
		if b.wants(name) {
			return true
		}
	}
	return false
}

// note adds a sample that was taken, if its case is wanted.
func (b *benchRun) note(name string, s bench.Sample) error {
	if !b.wants(name) {
		return nil
	}
	return b.write(b.report.AddAlone(name, s))
}

// withMesh lends a mesh of its own to a subject of the suite.
func (b *benchRun) withMesh(ctx context.Context, nodes int, use func(*benchMesh) error) error {
	return b.withMeshOf(ctx, nodes, benchReplicas, use)
}

// withMeshOf is withMesh for keys of so many copies.
func (b *benchRun) withMeshOf(ctx context.Context, nodes, replicas int, use func(*benchMesh) error) (err error) {
	m, err := b.openMeshOf(ctx, nodes, replicas)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.stop()) }()
	if _, err := m.inspect(ctx); err != nil {
		return err
	}
	return use(m)
}

// annaKeys is how many keys the data sets of meshes have.
func (o *benchOptions) annaKeys() int { return cmp.Or(o.keys, 100_000) }

// annaKey is the name of a key, of 8 bytes.
func annaKey(i int) string { return fmt.Sprintf("%08d", i) }

// annaValues gives values that are not alike and do not compress, cut out of one piece of memory.
type annaValues struct {
	piece []byte
	size  int
}

func newAnnaValues(size int) annaValues {
	const spare = 1 << 20
	piece := make([]byte, spare+size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(piece) // which never fails
	return annaValues{piece, size}
}

// at gives the value of a number; it must not be changed.
func (v annaValues) at(i int) []byte {
	from := uint32(i) * 2654435761 % uint32(len(v.piece)-v.size+1)
	return v.piece[from : int(from)+v.size]
}

// zipfName is a distribution over keys in the name of a case.
func zipfName(s float64) string {
	if s == 0 {
		return "uniform"
	}
	return "Zipf " + strings.TrimSuffix(fmt.Sprintf("%.1f", s), ".0")
}
