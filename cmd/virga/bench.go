package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/internal/bench"
	"github.com/virga-mesh/virga/mesh"
)

// benchOptions say what is measured, and how long.
type benchOptions struct {
	suites   []string
	only     string // part of the names of the cases to measure
	duration time.Duration
	warmup   time.Duration
	callers  []int
	profiles string // folder

	keys      int // of the data sets of meshes; 0: as many as the suite has by default
	storeKeys int // of those of one store
	users     int // of retwis

	consistencyOptions
}

// benchSuite is a group of cases.
type benchSuite struct {
	name string
	run  func(*benchRun, context.Context) error
	mesh bool // needs the processes of the mesh
	// asked says that it runs only by its name or as one of all: it takes
	// long, or gigabytes of memory and disk.
	asked bool
}

func benchSuites() []benchSuite {
	return []benchSuite{
		{name: "floor", run: (*benchRun).floor},
		{name: "call", run: (*benchRun).call, mesh: true},
		{name: "dag", run: (*benchRun).dag, mesh: true},
		{name: "kv", run: (*benchRun).kv, mesh: true},
		{name: cloudburstSuite, run: (*benchRun).cloudburst, mesh: true, asked: true},
		{name: retwisSuite, run: (*benchRun).retwis, mesh: true, asked: true},
		{name: "embedded", run: (*benchRun).embedded},
		{name: consistencySuite, run: (*benchRun).consistency, asked: true},
		{name: annaSuite, run: (*benchRun).anna, asked: true},
	}
}

const allSuites = "all"

func benchSuiteNames() []string {
	names := []string{allSuites}
	for _, s := range benchSuites() {
		names = append(names, s.name)
	}
	return names
}

func benchCommand(a *app) *cobra.Command {
	o := benchOptions{
		duration: time.Second, warmup: 250 * time.Millisecond, callers: []int{1, 16, 128},
		storeKeys: 1_000_000, users: 1000, consistencyOptions: defaultConsistencyOptions(),
	}
	cmd := &cobra.Command{
		Use:   "bench [floor|call|dag|kv|cloudburst|retwis|embedded|consistency|anna|all]...",
		Short: "Measure Virga on this machine",
		Long: `Measure Virga on this machine: three nodes as processes of their own, started
for the run in a temporary folder and stopped after it. Of each case it prints
how many operations were measured, their rate, the 50th, 95th and 99th
percentile of their latency, and the ratio to the floor.

The floor is what the transport costs: 100 bytes there and back on one QUIC
stream between two processes, with the settings that Virga has. It is measured
first, and again before each case. The other suites are calls of functions,
DAGs, state, Cloudburst's own benchmarks, and the same within the process of a
node. docs/performance.md tells more.

The suite cloudburst runs the benchmarks of the original, and tells what they
tell. It runs only when it is named, or with all.

The suite retwis runs an application, a small Twitter (examples/retwis), with
reads at eventual and at causal-session by turns, and tells how long timelines and
posts take at each, and how many replies users saw without their original. It
runs only when it is named, or with all.

The suite consistency runs random DAGs that read and write state under each
level of consistency by turns, and compares the levels' latencies; does so with
functions that write 1 to 16 keys, which at transactional is one commit; then it
records what runs under each level read and wrote, counts the anomalies, and
fails if there is one that the level forbids. It takes some seven minutes, and
runs only when it is named, or with all.

The suite anna measures what the store is for: the store alone, load over
threads and nodes, large sets, pushes to caches, and nodes that are killed, join
and restart. It starts nodes of its own, takes some minutes, and
gigabytes of memory and disk; so it runs only when it is named, or with all.

It runs within a clone, since it builds a function, and needs a quiet machine.`,
		Example: `  virga bench
  virga bench floor kv --duration 5s
  virga bench call --callers 1,64 --output json
  virga bench kv --only "get 100 B" --profile ./profiles
  virga bench retwis --callers 1,16 --duration 10s
  virga bench consistency
  virga bench consistency --keys 100000 --runs 500 --seed 7
  virga bench anna
  virga bench anna --only "store: merge" --store-keys 10000
  virga bench anna --only "get, kill" --keys 20000 --output json`,
		ValidArgs: benchSuiteNames(),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.suites = args
			return runBench(cmd.Context(), a, o)
		},
	}
	cmd.Flags().StringVar(&o.only, "only", "", "measure only the cases whose name has this in it")
	cmd.Flags().DurationVar(&o.duration, "duration", o.duration, "how long each case is measured")
	cmd.Flags().DurationVar(&o.warmup, "warmup", o.warmup, "how long each case runs before it is measured")
	cmd.Flags().IntSliceVar(&o.callers, "callers", o.callers, "callers at once, for the cases that have several; 1 is measured in any case")
	cmd.Flags().IntVar(&o.keys, "keys", 0, "keys of the data sets of meshes (by default 100,000 in the suite anna, 1,000,000 in consistency)")
	cmd.Flags().IntVar(&o.storeKeys, "store-keys", o.storeKeys, "keys of the data sets of one store, and elements of a large set, in the suite anna")
	cmd.Flags().IntVar(&o.users, "users", o.users, "users of the suite retwis; each follows 50 others, and there are five tweets for each")
	o.addFlags(cmd)
	cmd.Flags().StringVar(&o.profiles, "profile", "", "folder to write CPU and allocation profiles of all processes to")
	return cmd
}

// Bounds of the options.
const (
	maxBenchSpan    = time.Minute
	maxBenchCallers = 1024
	minBenchKeys    = 100
	maxBenchKeys    = 10_000_000
)

// validate also puts the options into order.
func (o *benchOptions) validate() error {
	for _, suite := range o.suites {
		if !slices.Contains(benchSuiteNames(), suite) {
			return usagef("suite %q: expected some of %s", suite, strings.Join(benchSuiteNames(), ", "))
		}
	}
	if o.duration <= 0 || o.duration > maxBenchSpan {
		return usagef("--duration %v: expected a positive duration of up to %v", o.duration, maxBenchSpan)
	}
	if o.warmup < 0 || o.warmup > maxBenchSpan {
		return usagef("--warmup %v: expected up to %v", o.warmup, maxBenchSpan)
	}
	if err := o.consistencyOptions.validate(); err != nil {
		return err
	}
	for name, n := range map[string]int{"--keys": o.keys, "--store-keys": o.storeKeys} {
		if n == 0 && name == "--keys" {
			continue
		}
		if n < minBenchKeys || n > maxBenchKeys {
			return usagef("%s %d: expected %d to %d", name, n, minBenchKeys, maxBenchKeys)
		}
	}
	if o.users < minRetwisUsers || o.users > maxRetwisUsers {
		return usagef("--users %d: expected %d to %d", o.users, minRetwisUsers, maxRetwisUsers)
	}
	for _, n := range o.callers {
		if n < 1 || n > maxBenchCallers {
			return usagef("--callers %d: expected 1 to %d", n, maxBenchCallers)
		}
	}
	o.callers = append(o.callers, 1)
	slices.Sort(o.callers)
	o.callers = slices.Compact(o.callers)
	return nil
}

// chosen are the suites to run, in the order in which they are measured. The
// floor is always among them: ratios refer to it.
func (o *benchOptions) chosen() []benchSuite {
	return slices.DeleteFunc(benchSuites(), func(s benchSuite) bool { return s.name != "floor" && !o.chooses(s) })
}

func (o *benchOptions) chooses(s benchSuite) bool {
	if len(o.suites) == 0 {
		return !s.asked
	}
	return slices.Contains(o.suites, s.name) || slices.Contains(o.suites, allSuites)
}

// benchRun is one run of the benchmark.
type benchRun struct {
	benchOptions
	out     io.Writer // for rows, as they are measured
	report  bench.Report
	echo    *benchEcho
	mesh    *benchMesh        // while suites need it
	modules map[string][]byte // of examples that were needed, by name

	allFigures  bool // are written of each row
	annaFigures      // those that are no row
	audits      []audit
	metadata    []int // bytes that keys hold for the causal levels, in order

	startup time.Duration // of the mesh, to the first call answered
	idle    uint64        // resident bytes of a node without load
}

// benchReport is the result of a run.
type benchReport struct{ *bench.Report }

func (r benchReport) text(w io.Writer) {
	fmt.Fprintf(w, "\n%s\n\n", bench.Machine())
	_ = r.WriteTables(w)
	_ = r.WriteGoals(w) // errors of standard output have no one to be told to
}

func runBench(ctx context.Context, a *app, o benchOptions) error {
	if err := o.validate(); err != nil {
		return err
	}
	b := &benchRun{benchOptions: o, out: a.stdout}
	if a.output == outputJSON {
		b.out = io.Discard
	}
	if err := b.run(ctx); err != nil {
		return err
	}
	b.report.Goals = b.goals()
	return errors.Join(a.show(benchReport{&b.report}), b.violated())
}

// run measures, and stops what it started also after a failure or Ctrl-C.
func (b *benchRun) run(ctx context.Context) (err error) {
	stopProfile, err := startProfile(b.profiles, "bench")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopProfile()) }()
	if b.echo, err = startBenchEcho(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.stopMesh(), b.echo.stop()) }()
	if err := bench.WriteHeader(b.out); err != nil {
		return err
	}
	for _, suite := range b.chosen() {
		if err := b.ready(ctx, suite); err != nil {
			return err
		}
		if err := suite.run(b, ctx); err != nil {
			return err
		}
	}
	return nil
}

// ready starts the mesh for a suite that needs it, and stops it for one that does not.
func (b *benchRun) ready(ctx context.Context, suite benchSuite) (err error) {
	switch {
	case !suite.mesh:
		return b.stopMesh()
	case b.mesh == nil:
		b.mesh, err = b.startMesh(ctx)
	}
	return err
}

func (b *benchRun) stopMesh() error {
	if b.mesh == nil {
		return nil
	}
	stopping := b.mesh
	b.mesh = nil
	return stopping.stop()
}

func (b *benchRun) load(callers int) bench.Load {
	return bench.Load{Callers: callers, Warmup: b.warmup, Measure: b.duration}
}

func (b *benchRun) wants(name string) bool { return strings.Contains(name, b.only) }

// measure drives an operation, unless its case is not wanted.
func (b *benchRun) measure(ctx context.Context, name string, callers int, op bench.Operation) error {
	if !b.wants(name) {
		return nil
	}
	if err := b.refreshFloor(ctx, callers); err != nil {
		return err
	}
	sample, err := b.sample(ctx, name, func(ctx context.Context) (bench.Sample, error) { return b.load(callers).Run(ctx, op) })
	if err != nil {
		return err
	}
	return b.write(b.report.Add(name, sample))
}

// write writes a row that was measured.
func (b *benchRun) write(row bench.Row) error {
	err := row.Write(b.out)
	if err == nil && b.allFigures {
		err = row.WriteFigures(b.out)
	}
	return err
}

// remark writes a line among the rows, and keeps it for the report.
func (b *benchRun) remark(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	b.report.Notes = append(b.report.Notes, text)
	fmt.Fprintln(b.out, text)
}

// caseGrace is how much longer than planned a case may take.
const caseGrace = 20 * time.Second

func (b *benchRun) caseTimeout() time.Duration { return b.warmup + b.duration + caseGrace }

// sample bounds the time of a case, and names it in an error.
func (b *benchRun) sample(ctx context.Context, name string, take func(context.Context) (bench.Sample, error)) (bench.Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, b.caseTimeout())
	defer cancel()
	sample, err := take(ctx)
	if err != nil {
		return bench.Sample{}, mesh.AsError("bench "+name, err)
	}
	return sample, nil
}
