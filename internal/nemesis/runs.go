package nemesis

import (
	"context"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/virga-mesh/virga/internal/wasmbuild"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// The runs of the load: a diamond of guests of which each counts one on a
// counter. Every run has an id, by which it is called again until its result
// is known; so the counters must hold four for each run, however often it was begun.
const (
	diamond      = "nemesis-diamond"
	diamondCount = 4
	tallies      = 4 // counters
)

// diamondDAG retries its stages: an owner of the counter may be away for a while.
func diamondDAG() *mesh.DAG {
	retry := mesh.StageOptions{Retry: mesh.Retry{Attempts: 50, Backoff: 50 * time.Millisecond, Longest: time.Second}}
	stage := func(name, function string) mesh.Stage {
		return mesh.Stage{Name: name, Func: mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: function}, StageOptions: retry}
	}
	return &mesh.DAG{
		Namespace: mesh.DefaultNamespace, Name: diamond,
		Stages: []mesh.Stage{stage("top", "tally"), stage("left", "tally"), stage("right", "tally"), stage("bottom", "tally-both")},
		Edges:  []mesh.Edge{{From: "top", To: "left"}, {From: "top", To: "right"}, {From: "left", To: "bottom"}, {From: "right", To: "bottom"}},
	}
}

// diamondOf is what the diamond gives for n.
func diamondOf(n int) int { return 2*(n+2) + 1 }

// deployRuns builds and deploys the functions, creates the DAGs, and has the
// nodes run one until each has compiled the module: what faults do to runs
// would not be seen while the first ones wait for compilers.
func deployRuns(ctx context.Context, c *sdk.Client, nodes int) error {
	dir, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", "github.com/virga-mesh/virga/internal/nemesis/tally").Output()
	if err != nil {
		return mesh.Errorf(mesh.Unavailable, "chaos", "the functions of the runs are not found: expected to run within a clone: %w", err)
	}
	module, err := wasmbuild.Build(ctx, strings.TrimSpace(string(dir)))
	if err != nil {
		return err
	}
	for _, name := range []string{"tally", "tally-both", "witness"} {
		if _, err := c.Deploy(ctx, name, module, sdk.DeployOptions{Export: name}); err != nil {
			return err
		}
	}
	for _, d := range slices.Concat(shapes, []*mesh.DAG{diamondDAG()}) {
		if err := c.CreateDAG(ctx, d); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, compileTimeout)
	defer cancel()
	dag := c.DAG(diamond)
	dag.Options.Policy = "round-robin"
	for range nodes {
		if _, err := dag.Call(ctx, argsOf("nemesis-warm", 0)); err != nil {
			return err
		}
	}
	return nil
}

// compileTimeout bounds how long all nodes together compile, on a loaded machine.
const compileTimeout = 2 * time.Minute

func argsOf(counter string, n int) sdk.Args {
	return sdk.Args{"top": {counter, n}, "left": {counter}, "right": {counter}, "bottom": {counter}}
}

// run makes runs until ctx ends, each until its result is known.
func (l *load) run(ctx context.Context, c *sdk.Client, pause time.Duration, chance *rand.Rand) {
	for ctx.Err() == nil {
		l.runOnce(ctx, c, l.tallies[chance.IntN(len(l.tallies))], chance.IntN(1000))
		rest(ctx, pause)
	}
}

// endTimeout is how long after the last fault a run may take to end.
const endTimeout = 30 * time.Second

// runOnce makes a run and brings it to its end, also when ctx ends meanwhile.
func (l *load) runOnce(ctx context.Context, c *sdk.Client, counter Key, n int) {
	dag := c.DAG(diamond)
	dag.Options.RunID = mesh.NewRunID()
	dag.Options.Policy = "random"
	for range diamondCount {
		l.ledger.attempt(counter, 0)
	}
	ended := false
	lasting, cancel := outlasting(ctx, endTimeout)
	defer cancel()
	l.until(lasting, counter, func(ctx context.Context) error {
		results, err := dag.Call(ctx, argsOf(counter.Name, n))
		if err != nil {
			l.ledger.done(counter, 0, err)
			return err
		}
		ended = true
		if got, err := sdk.Only[int](results); err != nil || got != diamondOf(n) {
			l.tell(mesh.Errorf(mesh.Internal, "run "+dag.Options.RunID.String(), "the result is %d, %v: expected %d", got, err, diamondOf(n)))
		}
		l.runs.Add(1)
		for range diamondCount {
			l.ledger.done(counter, 0, nil)
		}
		return nil
	})
	if !ended {
		l.tell(mesh.Errorf(mesh.Internal, "run "+dag.Options.RunID.String(), "not ended %v after the last fault", endTimeout))
	}
}

// outlasting gives a context that ends some time after another.
func outlasting(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(by, cancel) })
	return lasting, func() { stop(); cancel() }
}
