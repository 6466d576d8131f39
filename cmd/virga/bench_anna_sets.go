package main

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/virga-mesh/virga/internal/bench"
	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// The sets that elements are added to: of each size one that is large, or many
// that are small, which stay small so.
const (
	smallSet  = 10 // elements
	smallSets = 2000

	addSmall = "sets: add to one of 10"
	addLarge = "sets: add to a large one"
)

// annaSets measures the adding of one element to a small and to a large set,
// in time and in what nodes send each other for it.
func (b *benchRun) annaSets(ctx context.Context) error {
	if !b.wantsAny(addSmall, addLarge) {
		return nil
	}
	b.bytesPerAdd = map[string]float64{}
	return b.withMesh(ctx, benchNodes, func(m *benchMesh) error {
		if err := m.fillSets(ctx, b.storeKeys); err != nil {
			return err
		}
		small := make([]string, smallSets)
		for i := range small {
			small[i] = smallSetKey(i)
		}
		if err := b.annaAdds(ctx, m, addSmall, small); err != nil {
			return err
		}
		return b.annaAdds(ctx, m, addLarge, []string{largeSetKey})
	})
}

const largeSetKey = "set/large"

func smallSetKey(i int) string { return fmt.Sprintf("set/%d", i) }

// fillSets makes the small sets, and a large one of so many elements.
func (m *benchMesh) fillSets(ctx context.Context, large int) error {
	var puts []sdk.Putting
	for i := range smallSets {
		puts = append(puts, sdk.Putting{Name: smallSetKey(i), Kind: lattice.SetKind, Op: lattice.AddOp(elements(0, smallSet)...)})
	}
	client := m.client.WithState(sdk.StateOptions{Durability: mesh.Memory})
	if err := putAll(ctx, client, puts); err != nil {
		return err
	}
	// The first ones make the set so large that it is divided.
	const first, chunk = 300, 1 << 15
	for from, n := 0, first; from < large; from, n = from+n, chunk {
		op := lattice.AddOp(elements(from, min(from+n, large))...)
		err := insist(ctx, func() error { _, err := client.Put(ctx, largeSetKey, lattice.SetKind, op); return err })
		if err != nil {
			return err
		}
	}
	return m.whole(ctx, len(m.nodes))
}

// elements are named by numbers, as keys are.
func elements(from, to int) []string {
	all := make([]string, 0, to-from)
	for i := from; i < to; i++ {
		all = append(all, annaKey(i))
	}
	return all
}

// annaAdds adds new elements to sets in turn.
func (b *benchRun) annaAdds(ctx context.Context, m *benchMesh, name string, sets []string) error {
	if !b.wants(name) {
		return nil
	}
	before, err := m.sentToNodes(ctx)
	if err != nil {
		return err
	}
	client := m.client.WithState(sdk.StateOptions{WriteQuorum: 2})
	var added atomic.Int64
	err = b.measure(ctx, name, 1, func(ctx context.Context, _ int) error {
		n := int(added.Add(1))
		_, err := client.Put(ctx, sets[n%len(sets)], lattice.SetKind, lattice.AddOp(fmt.Sprintf("+%07d", n)))
		return err
	})
	if err != nil {
		return err
	}
	after, err := m.sentToNodes(ctx)
	b.bytesPerAdd[name] = bench.Ratio(float64(after-before), float64(added.Load()))
	return err
}

// sentToNodes is how many bytes the nodes have sent each other.
func (m *benchMesh) sentToNodes(ctx context.Context) (sum uint64, err error) {
	err = m.each(ctx, nil, func(clients map[int]*sdk.Client) error {
		for _, client := range clients {
			stats, err := client.Stats(ctx, 0)
			if err != nil {
				return err
			}
			sum += stats.SentToNodes
		}
		return nil
	})
	return sum, err
}
