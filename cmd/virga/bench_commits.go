package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/virga-mesh/virga/internal/bench"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// nativePuts writes registers one after the other. At mesh.Transactional they
// are made at its end, by one commit.
const nativePuts = "native-puts"

// putsOrder tells it what to write.
type putsOrder struct {
	Keys []string
	Text string // that each of them gets
}

// puts gives how many keys it has written.
func puts(ctx context.Context, order putsOrder) (int, error) {
	for _, key := range order.Keys {
		if err := fn.Put(ctx, key, order.Text); err != nil {
			return 0, err
		}
	}
	return len(order.Keys), nil
}

var (
	// commitSizes are how many keys a run writes.
	commitSizes = []int{1, 2, 4, 16}
	// commitLevels are compared. There is a commit at mesh.Transactional alone.
	commitLevels = []mesh.Consistency{mesh.Eventual, mesh.CausalSession, mesh.Transactional}
)

func commitCase(keys int, level mesh.Consistency) string {
	what, of := "puts", "keys"
	if level == mesh.Transactional {
		what = "commit"
	}
	if keys == 1 {
		of = "key"
	}
	return fmt.Sprintf("%s of %d %s, %s", what, keys, of, level)
}

// wantedCommit is a case that is to be measured.
type wantedCommit struct {
	keys  int
	level mesh.Consistency
}

func (b *benchRun) wantedCommits() (wanted []wantedCommit) {
	if b.commitRuns == 0 {
		return nil
	}
	for _, keys := range commitSizes {
		for _, level := range commitLevels {
			if b.wants(commitCase(keys, level)) {
				wanted = append(wanted, wantedCommit{keys, level})
			}
		}
	}
	return wanted
}

// commitAll measures a function that writes several keys, at each level by turns.
// It runs on another node than the one that the client asks: left to itself it
// would stay there, and tell nobody on the way of what it writes.
func (b *benchRun) commitAll(ctx context.Context, m *benchMesh) error {
	wanted := b.wantedCommits()
	if len(wanted) == 0 {
		return nil
	}
	b.remark("puts and commits of keys drawn uniformly from seed %d, by a function on another node than the client's; each run's time is told whole", b.seed)
	draws := bench.Draws(drawn, b.weaveKeys(), 0, b.seed)
	cases := make([]*turnCase, len(wanted))
	for i, c := range wanted {
		call := callPuts(m.client, c.level, m.ids[1])
		cases[i] = &turnCase{name: commitCase(c.keys, c.level), run: func(ctx context.Context, number int) (making, error) {
			order := putsOrder{Keys: putsKeys(draws, number, c.keys), Text: putsText(number)}
			start := time.Now()
			err := call(ctx, order)
			return making{took: time.Since(start)}, err // it reads nothing that could be in conflict
		}}
	}
	if err := byTurns(ctx, cases, b.runCallers, 1, turnBlocks(b.commitRuns)); err != nil {
		return err
	}
	for _, c := range cases {
		if err := b.write(b.report.AddAlone(c.name, c.sample(b.runCallers))); err != nil {
			return err
		}
	}
	return nil
}

// callPuts calls the function on a node.
func callPuts(client *sdk.Client, level mesh.Consistency, at mesh.NodeID) func(context.Context, putsOrder) error {
	f := sdk.Func[putsOrder, int](client, nativePuts)
	f.Options = placedAt(nativePuts, at)
	f.Options.Consistency = level
	return func(ctx context.Context, order putsOrder) error {
		return insistWithin(ctx, func(ctx context.Context) error {
			_, err := f.Call(ctx, order)
			return err
		})
	}
}

// putsText is what a run writes: 8 bytes.
func putsText(run int) string { return fmt.Sprintf("%08d", run) }

// putsKeys are so many different keys for a run: those of fewer are among those
// of more.
func putsKeys(draws []uint32, run, n int) []string {
	keys := make([]string, 0, n)
	for at := run * slices.Max(commitSizes); len(keys) < n; at++ {
		if key := annaKey(int(draws[at%len(draws)])); !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}
