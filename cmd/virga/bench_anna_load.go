package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/virga-mesh/virga/internal/bench"
	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/sdk"
)

// The load on a mesh over threads and nodes: the distributions of the keys,
// how many nodes the callers are connected to, in turn, and how many there are.
var (
	loadExponents = []float64{0, 0.5, 4}
	loadNodes     = []int{1, benchNodes}
	loadThreads   = []int{2, 32}
)

const loadValue = 100 // bytes

func loadCase(operation string, exponent float64, nodes int) string {
	name := fmt.Sprintf("load: %s, %s, %d node", operation, zipfName(exponent), nodes)
	if nodes > 1 {
		name += "s"
	}
	return name
}

func loadCases() (names []string) {
	for _, operation := range []string{"get", "put"} {
		for _, exponent := range loadExponents {
			for _, nodes := range loadNodes {
				names = append(names, loadCase(operation, exponent, nodes))
			}
		}
	}
	return names
}

// annaLoad measures gets and puts of small registers over a whole data set.
func (b *benchRun) annaLoad(ctx context.Context) error {
	if !b.wantsAny(loadCases()...) {
		return nil
	}
	return b.withMesh(ctx, benchNodes, func(m *benchMesh) (err error) {
		values := newAnnaValues(loadValue)
		if err := m.fill(ctx, m.client, b.annaKeys(), values); err != nil {
			return err
		}
		clients := []*sdk.Client{m.client}
		defer func() {
			for _, client := range clients[1:] {
				err = errors.Join(err, client.Close())
			}
		}()
		for i := 1; i < benchNodes; i++ {
			client, err := m.dial(ctx, i)
			if err != nil {
				return err
			}
			clients = append(clients, client)
		}
		for _, exponent := range loadExponents {
			l := annaDraws{clients: clients, names: b.annaNames(), draws: bench.Draws(drawn, b.annaKeys(), exponent, 2), values: values}
			if err := b.annaLoads(ctx, l, exponent); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *benchRun) annaNames() []string {
	names := make([]string, b.annaKeys())
	for i := range names {
		names[i] = annaKey(i)
	}
	return names
}

// annaDraws is a load on keys that were drawn.
type annaDraws struct {
	clients []*sdk.Client
	names   []string
	draws   []uint32
	values  annaValues
}

func (b *benchRun) annaLoads(ctx context.Context, l annaDraws, exponent float64) error {
	for _, nodes := range loadNodes {
		for _, callers := range loadThreads {
			if err := b.measure(ctx, loadCase("get", exponent, nodes), callers, l.gets(nodes, callers)); err != nil {
				return err
			}
		}
		for _, callers := range loadThreads {
			if err := b.measure(ctx, loadCase("put", exponent, nodes), callers, l.puts(nodes, callers)); err != nil {
				return err
			}
		}
	}
	return nil
}

// next gives the function by which each caller goes through the draws, from a place of its own.
func (l annaDraws) next(callers int) func(caller int) uint32 {
	at := make([]int, callers)
	for i := range at {
		at[i] = i * len(l.draws) / callers
	}
	return func(caller int) uint32 {
		at[caller] = (at[caller] + 1) % len(l.draws)
		return l.draws[at[caller]]
	}
}

func (l annaDraws) gets(nodes, callers int) bench.Operation {
	next, clients := l.next(callers), slices.Clip(l.clients[:nodes])
	return func(ctx context.Context, caller int) error {
		_, err := clients[caller%nodes].Get(ctx, l.names[next(caller)])
		return err
	}
}

func (l annaDraws) puts(nodes, callers int) bench.Operation {
	next, clients := l.next(callers), slices.Clip(l.clients[:nodes])
	return func(ctx context.Context, caller int) error {
		i := next(caller)
		return insist(ctx, func() error {
			_, err := clients[caller%nodes].Put(ctx, l.names[i], lattice.LWWKind, lattice.SetOp(l.values.at(int(i))))
			return err
		})
	}
}
