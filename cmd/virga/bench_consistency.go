package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

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

	weaveBlock      = 50          // runs of a level before it is the next one's turn
	weaveExponent   = 1           // of the Zipf distribution of keys
	weaveFillLimit  = time.Minute // beside fillPerKey for each key
	fillPerKey      = 600 * time.Microsecond
	weaveRunTimeout = 10 * time.Second // of one run, with all attempts
)

// consistencyOptions say how much the suite measures.
type consistencyOptions struct {
	levelRuns  int // measured of each level
	runCallers int
	auditRuns  int // recorded of each level
	auditKeys  int
	replicas   int    // nodes that own a key
	seed       uint64 // of DAGs, places and keys
}

func defaultConsistencyOptions() consistencyOptions {
	return consistencyOptions{levelRuns: 4000, runCallers: 1, auditRuns: 1000, auditKeys: 20, replicas: 3, seed: 1}
}

func (o *consistencyOptions) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.IntVar(&o.levelRuns, "runs", o.levelRuns, "runs of each level that are measured, in blocks of 50, in the suite consistency")
	flags.IntVar(&o.runCallers, "run-callers", o.runCallers, "callers at once of those runs")
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

// consistency measures the levels by turns, and then looks for anomalies.
func (b *benchRun) consistency(ctx context.Context) error {
	b.allFigures = true
	defer func() { b.allFigures = false }()
	return b.withMeshOf(ctx, benchNodes, b.replicas, func(m *benchMesh) error {
		w := newWeaving(b.seed, m.ids)
		for _, d := range w.dags {
			if err := m.client.CreateDAG(ctx, d.dag(nativeWeave)); err != nil {
				return err
			}
		}
		if err := b.weaveAll(ctx, m, w); err != nil {
			return err
		}
		return b.audit(ctx, m, w)
	})
}

// weaveAll fills the keys and measures each level, unless no level is wanted.
func (b *benchRun) weaveAll(ctx context.Context, m *benchMesh, w *weaving) error {
	levels, times := b.wantedLevels(), map[mesh.Consistency]*weaveTimes{}
	if len(levels) == 0 {
		return nil
	}
	began := time.Now()
	filling, cancel := context.WithTimeout(ctx, weaveFillLimit+fillPerKey*time.Duration(b.weaveKeys()))
	defer cancel()
	if err := m.fillAtOwners(filling, b.weaveKeys(), func(i int) sdk.Putting { return weavePutting(annaKey(i), annaKey(i)) }); err != nil {
		return err
	}
	b.remark("%d keys of 8 B with %d owner(s), filled in %.1f s; %d DAGs of seed %d; each run's time is divided by the length of the DAG's longest path",
		b.weaveKeys(), b.replicas, time.Since(began).Seconds(), len(w.dags), b.seed)
	w.draws = bench.Draws(drawn, b.weaveKeys(), weaveExponent, b.seed)
	for _, level := range levels {
		times[level] = &weaveTimes{}
	}
	blocks := (b.levelRuns + weaveBlock - 1) / weaveBlock
	warmup := min(blocks, len(w.dags)/weaveBlock) // each DAG once
	for block := range warmup + blocks {
		for turn := range levels { // another one first each time
			level := levels[(turn+block)%len(levels)]
			if block == warmup {
				*times[level] = weaveTimes{}
			}
			if err := b.weaveBlock(ctx, m.client, w, level, block*weaveBlock, times[level]); err != nil {
				return mesh.AsError("bench "+levelCase(level), err)
			}
		}
	}
	for _, level := range levels {
		if err := b.write(b.report.AddAlone(levelCase(level), times[level].sample(b.runCallers))); err != nil {
			return err
		}
		if level == mesh.Transactional {
			b.remark("%d runs at %s ended with a conflict, and were made again: their time is not counted", times[level].conflicts, level)
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

// weaveTimes are the times of one level's runs.
type weaveTimes struct {
	perDepth  []time.Duration
	elapsed   time.Duration
	conflicts int // runs that ended with one, beside those
}

func (t *weaveTimes) sample(callers int) bench.Sample {
	s := bench.SampleOf(t.perDepth...)
	s.Callers, s.Elapsed = callers, t.elapsed
	return s
}

// weaveBlock makes a block of runs under one level. Runs of the same number
// have the same DAG, places and keys under every level.
func (b *benchRun) weaveBlock(ctx context.Context, client *sdk.Client, w *weaving, level mesh.Consistency, from int, times *weaveTimes) error {
	took := make([]time.Duration, weaveBlock)
	var next, conflicts atomic.Int64
	group, within := errgroup.WithContext(ctx)
	began := time.Now()
	for range b.runCallers {
		group.Go(func() error {
			for i := int(next.Add(1)) - 1; i < weaveBlock; i = int(next.Add(1)) - 1 {
				d := w.dags[(from+i)%len(w.dags)]
				args := weaveCall(client, w.orders(d, from+i, 0, annaKey))
				_, made, err := d.callUntilMade(within, client, nativeWeave, level, args)
				if err != nil {
					return err
				}
				conflicts.Add(int64(made.conflicts))
				took[i] = made.took / time.Duration(d.depth)
			}
			return nil
		})
	}
	err := group.Wait()
	times.elapsed += time.Since(began)
	times.perDepth = append(times.perDepth, took...)
	times.conflicts += int(conflicts.Load())
	return err
}

// making is how a run was made, with the calls that ended with a conflict apart.
type making struct {
	took      time.Duration // the call that succeeded
	conflicts int
}

// callUntilMade calls again after a conflict, which has written nothing.
func (d *weaveDAG) callUntilMade(ctx context.Context, client *sdk.Client, function string, level mesh.Consistency, args sdk.Args) (results sdk.Results, made making, err error) {
	for ; ; made.conflicts++ {
		start := time.Now()
		results, err = d.call(ctx, client, function, level, args)
		if level != mesh.Transactional || !errors.Is(err, mesh.Conflict) || ctx.Err() != nil {
			made.took = time.Since(start)
			return results, made, err
		}
	}
}

// call runs the DAG of a function.
func (d *weaveDAG) call(ctx context.Context, client *sdk.Client, function string, level mesh.Consistency, args sdk.Args) (results sdk.Results, err error) {
	ctx, cancel := context.WithTimeout(ctx, weaveRunTimeout)
	defer cancel()
	handle := client.DAG(d.name(function))
	handle.Options.Place, handle.Options.Consistency = d.place, level
	err = insist(ctx, func() error {
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
