package dags

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/virga-mesh/virga/internal/sim"
	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// Result is what a run of a schedule came to.
type Result struct {
	Right, Failed, Excused int // calls
	Conflicts              int // calls that ended with one
	Again                  int // stages that ran again
	StateReads, Anomalies  int // of runs that read state
	Violations             []string
}

// Bounds of a part of a run, in virtual time.
const (
	settleTimeout = 2 * time.Minute
	callTimeout   = 30 * time.Second
	longestStage  = 800 * time.Millisecond
	between       = 200 * time.Millisecond // two attempts of a named call
)

// run is a schedule under way.
type run struct {
	schedule Schedule
	mesh     *simmesh.Mesh // of the nemesis alone
	began    time.Time

	lock   sync.Mutex
	nodes  []*node.Node               // as last started, for calls
	ran    map[string][]time.Duration // when each stage of each run began
	result Result

	state state
}

// Run plays a schedule, within a bubble of testing/synctest. An error says
// that it could not go on; what the oracle found is in the result.
func Run(ctx context.Context, s Schedule, log *slog.Logger) (_ Result, err error) {
	r := &run{schedule: s, ran: map[string][]time.Duration{}}
	network := sim.NewNetwork(s.Seed, sim.Conditions{Delay: time.Millisecond, Jitter: time.Millisecond, Loss: 0.001})
	starting, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	if r.mesh, err = simmesh.Start(starting, simmesh.Options{
		Nodes: s.Nodes, Network: network, Log: log, Provide: r.provide, Configure: r.configure,
	}); err != nil {
		return r.result, err
	}
	defer func() { err = errors.Join(err, r.mesh.Close()) }()
	r.see()
	for _, j := range s.jobs() {
		if err := sdk.Attach(r.node(0)).CreateDAG(starting, j.dag); err != nil {
			return r.result, err
		}
	}
	time.Sleep(time.Second) // until all nodes know of all that
	r.began = time.Now()
	for _, w := range s.Slow {
		r.mesh.Slow(w.From, w.To, w.By)
	}
	writing, stopWriter := context.WithCancel(ctx)
	defer stopWriter()
	var writer sync.WaitGroup
	writer.Go(func() { r.writeBeside(writing) })
	var calls sync.WaitGroup
	for i, c := range s.Calls {
		calls.Go(func() { r.call(ctx, i, c) })
	}
	err = r.nemesis(ctx)
	calls.Wait()
	for _, w := range s.Slow {
		r.mesh.Slow(w.From, w.To, 0)
	}
	stopWriter()
	writer.Wait()
	if err != nil {
		return r.result, err
	}
	r.checkTwice()
	if err := r.settle(ctx); err != nil {
		return r.result, err
	}
	return r.result, errors.Join(r.checkState(), r.checkRest(ctx))
}

// configure gives a node its clock.
func (r *run) configure(i int, cfg *node.Config) {
	if i < len(r.schedule.Skew) {
		by := r.schedule.Skew[i]
		cfg.MaxSkew = maxSkew
		cfg.Now = func() time.Time { return time.Now().Add(by) }
	}
}

// provide gives the functions of stages to each node.
func (r *run) provide(int) []node.Option {
	stage := func(isAny bool) func(context.Context, fn.Variadic[string]) (string, error) {
		return func(ctx context.Context, args fn.Variadic[string]) (string, error) {
			return r.stage(ctx, isAny, false, args)
		}
	}
	return append(r.provideReaders(), node.Handle(plain, stage(false)), node.Handle(anyOf, stage(true)))
}

// stage is the function of all stages. How long it takes, if it is not quick,
// follows from the seed and from what it computes.
func (r *run) stage(ctx context.Context, isAny, quick bool, args []string) (string, error) {
	id := fn.ID(ctx)
	r.lock.Lock()
	key := fmt.Sprint(id.Run, " ", id.Stage, " ", id.Generation())
	r.ran[key] = append(r.ran[key], r.now())
	r.lock.Unlock()
	if !quick {
		h := fnv.New32a()
		fmt.Fprintf(h, "%d %s %q", r.schedule.Seed, id.Stage, args)
		timer := time.NewTimer(time.Duration(h.Sum32()%uint32(longestStage/time.Millisecond)) * time.Millisecond)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	name, _, _ := strings.Cut(id.Stage, "<")
	return computed(name, isAny, args)
}

// now is the time since the start.
func (r *run) now() time.Duration { return time.Since(r.began) }

// see lets calls use the nodes as they are now.
func (r *run) see() {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.nodes = r.nodes[:0]
	for i := range r.mesh.Len() {
		r.nodes = append(r.nodes, r.mesh.Node(i))
	}
}

func (r *run) node(i int) *node.Node {
	r.lock.Lock()
	defer r.lock.Unlock()
	return r.nodes[i]
}

// call makes a call of the schedule, and judges what comes of it.
func (r *run) call(ctx context.Context, number int, c Call) {
	time.Sleep(c.At)
	within, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	results, err := r.attempts(within, number, c)
	if c.Reads {
		r.state.ended(number, err)
	}
	conflict := r.schedule.Level == mesh.Transactional && c.Reads && errors.Is(err, mesh.Conflict)
	excused := !c.Named && r.schedule.excuses(c.Node, c.At, r.now())
	wrong := c.job.expected().wrong(within, results, err, excused)
	r.lock.Lock()
	defer r.lock.Unlock()
	switch {
	case conflict:
		r.result.Conflicts++
	case wrong != "":
		r.result.Violations = append(r.result.Violations, fmt.Sprintf("%v: %s through node %d %s", r.now(), c.job.dag.Name, c.Node, wrong))
	case err == nil:
		r.result.Right++
	case errors.Is(err, mesh.UserError):
		r.result.Failed++
	default:
		r.result.Excused++
	}
}

// attempts calls through a node; where the call has an id, again through the
// next one for as long as that is not to be had.
func (r *run) attempts(ctx context.Context, number int, c Call) (results sdk.Results, err error) {
	id := mesh.NewRunID()
	for i := 0; ; i++ {
		handle := sdk.Attach(r.node((c.Node + i) % r.schedule.Nodes)).DAG(c.job.dag.Name)
		handle.Options.Policy = c.Policy
		if c.Reads && !r.schedule.Lax {
			handle.Options.Consistency = r.schedule.Level
		}
		if c.Named {
			handle.Options.RunID = id
		}
		results, err = handle.Call(ctx, c.job.sdkArgs(number))
		if !c.Named || err == nil || errors.Is(err, mesh.UserError) || ctx.Err() != nil {
			return results, err
		}
		time.Sleep(between)
	}
}

// nemesis plays the faults.
func (r *run) nemesis(ctx context.Context) error {
	for _, f := range r.schedule.Faults {
		time.Sleep(f.At - r.now())
		within, cancel := context.WithTimeout(ctx, settleTimeout)
		err := r.strike(within, f)
		cancel()
		if err != nil {
			return fmt.Errorf("%s nodes %v: %w", f.Verb, f.Nodes, err)
		}
	}
	return nil
}

func (r *run) strike(ctx context.Context, f Fault) error {
	if f.Verb == Cut {
		var rest []int
		for i := range r.schedule.Nodes {
			if !slices.Contains(f.Nodes, i) {
				rest = append(rest, i)
			}
		}
		r.mesh.Partition(rest, f.Nodes)
		time.Sleep(f.Lasts)
		r.mesh.Heal()
		return nil
	}
	for _, victim := range f.Nodes {
		take := r.mesh.Kill
		if f.Verb == Stop {
			take = r.mesh.Stop
		}
		if err := take(victim); err != nil {
			return err
		}
	}
	time.Sleep(f.Lasts)
	for _, victim := range f.Nodes {
		if err := r.mesh.Restart(ctx, victim); err != nil {
			return err
		}
	}
	r.see()
	return nil
}

// checkTwice sees that no stage ran twice without a reason.
func (r *run) checkTwice() {
	r.lock.Lock()
	defer r.lock.Unlock()
	for key, times := range r.ran {
		r.result.Again += len(times) - 1
		if len(times) > 1 && r.schedule.quiet(times[0], times[len(times)-1]) {
			r.result.Violations = append(r.result.Violations, fmt.Sprintf("stage %s ran at %v, and nothing had happened", key, times))
		}
	}
}

// settle waits until the nodes see each other and nothing is under way, and reads what there is then.
func (r *run) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	if err := r.mesh.Settle(ctx); err != nil {
		return err
	}
	time.Sleep(callTimeout) // runs whose caller or coordinator died end by then
	return r.readEnds(ctx)
}

// checkRest sees that nothing runs any more.
func (r *run) checkRest(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	for i := range r.mesh.Len() {
		status, err := sdk.Attach(r.mesh.Node(i)).Status(ctx)
		if err != nil {
			return err
		}
		if status.Running > 0 {
			r.result.Violations = append(r.result.Violations, fmt.Sprintf("node %d still runs %d invocations", i, status.Running))
		}
	}
	return nil
}
