package main

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/internal/bench"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// The workload of Cloudburst's evaluation of its consistency levels (PVLDB
// 13(11), section 6.2: figure 8 and table 2): random DAGs over many small keys
// of which some are popular.
const (
	consistencySuite = "consistency"

	weaveExponent  = 1           // of the Zipf distribution of keys
	weaveFillLimit = time.Minute // beside fillPerKey for each key
	fillPerKey     = 600 * time.Microsecond
)

// consistencyOptions say how much the suite measures.
type consistencyOptions struct {
	levelRuns  int // measured of each level
	runCallers int
	commitRuns int // measured of each number of keys and level
	auditRuns  int // recorded of each level
	auditKeys  int
	replicas   int    // nodes that own a key
	seed       uint64 // of DAGs, places and keys
}

func defaultConsistencyOptions() consistencyOptions {
	return consistencyOptions{levelRuns: 4000, runCallers: 1, commitRuns: 1000, auditRuns: 1000, auditKeys: 20, replicas: 3, seed: 1}
}

func (o *consistencyOptions) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.IntVar(&o.levelRuns, "runs", o.levelRuns, "runs of each level that are measured, in blocks of 50, in the suite consistency")
	flags.IntVar(&o.runCallers, "run-callers", o.runCallers, "callers at once of the runs that --runs and --commit-runs count")
	flags.IntVar(&o.commitRuns, "commit-runs", o.commitRuns, "runs of each case that writes several keys in a call, in blocks of 50, in the suite consistency; 0: none")
	flags.IntVar(&o.auditRuns, "audit-runs", o.auditRuns, "runs of each level that are recorded to look for anomalies, in the suite consistency; 0: none")
	flags.IntVar(&o.auditKeys, "audit-keys", o.auditKeys, "keys that those runs have")
	flags.IntVar(&o.replicas, "replicas", o.replicas, "nodes of the three that own a key, in the suite consistency; the others read it through their caches")
	flags.Uint64Var(&o.seed, "seed", o.seed, "what DAGs and keys are drawn from, in the suite consistency")
}

// Bounds of these options: a history holds so many events.
const (
	maxWeaveRuns = 1_000_000
	maxAuditRuns = 3000
	maxAuditKeys = 10_000
)

func (o *consistencyOptions) validate() error {
	for _, bound := range []struct {
		name             string
		n, least, atMost int
	}{
		{"--runs", o.levelRuns, 1, maxWeaveRuns}, {"--run-callers", o.runCallers, 1, maxBenchCallers},
		{"--commit-runs", o.commitRuns, 0, maxWeaveRuns},
		{"--audit-runs", o.auditRuns, 0, maxAuditRuns}, {"--audit-keys", o.auditKeys, 2, maxAuditKeys},
		{"--replicas", o.replicas, 1, benchNodes},
	} {
		if bound.n < bound.least || bound.n > bound.atMost {
			return usagef("%s %d: expected %d to %d", bound.name, bound.n, bound.least, bound.atMost)
		}
	}
	return nil
}

func (o *benchOptions) weaveKeys() int { return cmp.Or(o.keys, 1_000_000) }

func levelCase(level mesh.Consistency) string { return "DAGs, " + level.String() }

// consistency measures the levels by turns, with DAGs and with functions that
// write several keys, and then looks for anomalies.
func (b *benchRun) consistency(ctx context.Context) error {
	b.allFigures = true
	defer func() { b.allFigures = false }()
	return b.withMeshOf(ctx, benchNodes, b.replicas, func(m *benchMesh) error {
		w := newWeaving(b.seed, m.ids)
		if err := b.fillKeys(ctx, m); err != nil {
			return err
		}
		if err := b.weaveAll(ctx, m, w); err != nil {
			return err
		}
		if err := b.commitAll(ctx, m); err != nil {
			return err
		}
		return b.audit(ctx, m, w)
	})
}

// fillKeys makes the data set, unless no case is wanted that needs it.
func (b *benchRun) fillKeys(ctx context.Context, m *benchMesh) error {
	if len(b.wantedLevels()) == 0 && len(b.wantedCommits()) == 0 {
		return nil
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, weaveFillLimit+fillPerKey*time.Duration(b.weaveKeys()))
	defer cancel()
	if err := m.fillAtOwners(ctx, b.weaveKeys(), func(i int) sdk.Putting { return weavePutting(annaKey(i), annaKey(i)) }); err != nil {
		return err
	}
	b.remark("%d keys of 8 B with %d owner(s), filled in %.1f s", b.weaveKeys(), b.replicas, time.Since(began).Seconds())
	return nil
}

// weaveAll measures each level, unless none is wanted.
func (b *benchRun) weaveAll(ctx context.Context, m *benchMesh, w *weaving) error {
	levels := b.wantedLevels()
	if len(levels) == 0 {
		return nil
	}
	for _, d := range w.dags {
		if err := m.client.CreateDAG(ctx, d.dag(nativeWeave)); err != nil {
			return err
		}
	}
	b.remark("%d DAGs of seed %d; each run's time is divided by the length of the DAG's longest path", len(w.dags), b.seed)
	w.draws = bench.Draws(drawn, b.weaveKeys(), weaveExponent, b.seed)
	cases := make([]*turnCase, len(levels))
	for i, level := range levels {
		cases[i] = &turnCase{name: levelCase(level), run: func(ctx context.Context, number int) (making, error) {
			return w.run(ctx, m.client, level, number)
		}}
	}
	blocks := turnBlocks(b.levelRuns)
	warmup := min(blocks, len(w.dags)/turnBlock) // each DAG once
	if err := byTurns(ctx, cases, b.runCallers, warmup, blocks); err != nil {
		return err
	}
	for i, level := range levels {
		if err := b.write(b.report.AddAlone(cases[i].name, cases[i].sample(b.runCallers))); err != nil {
			return err
		}
		if level == mesh.Transactional {
			b.remark("%d runs at %s ended with a conflict, and were made again: their time is not counted", cases[i].conflicts, level)
		}
	}
	return b.measureMetadata(ctx, m, w)
}

func (b *benchRun) wantedLevels() (levels []mesh.Consistency) {
	for _, level := range mesh.Levels() {
		if b.wants(levelCase(level)) {
			levels = append(levels, level)
		}
	}
	return levels
}

// run makes the run of a number under one level. Those of the same number have
// the same DAG, places and keys under every level.
func (w *weaving) run(ctx context.Context, client *sdk.Client, level mesh.Consistency, number int) (making, error) {
	d := w.dags[number%len(w.dags)]
	_, made, err := d.callUntilMade(ctx, client, nativeWeave, level, weaveCall(client, w.orders(d, number, 0, annaKey)))
	made.took /= time.Duration(d.depth)
	return made, err
}

// callUntilMade calls again after a conflict.
func (d *weaveDAG) callUntilMade(ctx context.Context, client *sdk.Client, function string, level mesh.Consistency, args sdk.Args) (results sdk.Results, made making, err error) {
	made, err = makeRun(ctx, level, func() error {
		results, err = d.call(ctx, client, function, level, args)
		return err
	})
	return results, made, err
}

// call runs the DAG of a function.
func (d *weaveDAG) call(ctx context.Context, client *sdk.Client, function string, level mesh.Consistency, args sdk.Args) (results sdk.Results, err error) {
	handle := client.DAG(d.name(function))
	handle.Options.Place, handle.Options.Consistency = d.place, level
	err = insistWithin(ctx, func(ctx context.Context) error {
		results, err = handle.Call(ctx, args)
		return err
	})
	return results, err
}

// weavePutting is the put of a text of which functions can make sense.
func weavePutting(name, text string) sdk.Putting {
	kind, op, err := fn.PutOp(text)
	if err != nil {
		panic("bench: a text cannot be encoded: " + err.Error())
	}
	return sdk.Putting{Name: name, Kind: kind, Op: op}
}

// metadataKeys is how many keys are asked for their metadata.
const metadataKeys = 2000

// measureMetadata asks keys what they hold beside their values for the causal levels.
func (b *benchRun) measureMetadata(ctx context.Context, m *benchMesh, w *weaving) error {
	asked := map[uint32]bool{}
	for _, number := range w.draws {
		if len(asked) == metadataKeys {
			break
		}
		if asked[number] {
			continue
		}
		asked[number] = true
		size, err := m.client.CausesSize(ctx, annaKey(int(number)))
		if err != nil {
			return err
		}
		if size > 0 {
			b.metadata = append(b.metadata, size)
		}
	}
	slices.Sort(b.metadata)
	return nil
}
