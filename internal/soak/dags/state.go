package dags

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/virga-mesh/virga/internal/check"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// Bounds of what runs read and write.
const (
	keys          = 4
	writeInterval = 20 * time.Millisecond // of the writer outside of all runs
	stateTimeout  = time.Second           // of one read or write
)

// The functions of the stages of runs that read state; the number of the job
// is added.
const (
	plainReads = "plain-reads-"
	anyOfReads = "any-of-reads-"
)

// state is what runs read and write, as those saw it who did.
type state struct {
	lock   sync.Mutex
	events []check.Event
	by     []execution // of events
	last   int         // version written
	clock  time.Duration
}

// execution is one of a stage of a job.
type execution struct {
	job job
	id  mesh.InvocationID // zero: of none
}

// reading has the stages of a job read state.
func (j job) reading() job {
	for i := range j.dag.Stages {
		f := &j.dag.Stages[i].Func
		f.Name = fmt.Sprint(map[string]string{plain: plainReads, anyOf: anyOfReads}[f.Name], j.number)
	}
	return j
}

// reads reports whether the stages of the job read state.
func (j job) reads() bool { return strings.Contains(j.dag.Stages[0].Func.Name, "-reads-") }

// jobs gives each job once.
func (s *Schedule) jobs() (jobs []job) {
	seen := map[int]bool{}
	for _, c := range s.Calls {
		if !seen[c.job.number] {
			seen[c.job.number] = true
			jobs = append(jobs, c.job)
		}
	}
	return jobs
}

// provideReaders gives the functions that read state to each node.
func (r *run) provideReaders() (options []node.Option) {
	for _, j := range r.schedule.jobs() {
		if j.reads() {
			options = append(options,
				node.Handle(fmt.Sprint(plainReads, j.number), r.readingStage(j, false)),
				node.Handle(fmt.Sprint(anyOfReads, j.number), r.readingStage(j, true)))
		}
	}
	return options
}

func (r *run) readingStage(j job, isAny bool) func(context.Context, fn.Variadic[string]) (string, error) {
	return func(ctx context.Context, args fn.Variadic[string]) (string, error) {
		by := execution{j, fn.ID(ctx)}
		chance := rand.New(rand.NewPCG(r.schedule.Seed, uint64(len(by.id.Stage))+uint64(time.Now().UnixNano())))
		read := key(chance)
		r.readState(ctx, by, read)
		switch chance.IntN(4) {
		case 0:
			r.writeState(ctx, by, read) // so that versions of a key come after one another
		case 1:
			r.writeState(ctx, by, key(chance))
		}
		result, err := r.stage(ctx, isAny, j.quick, args)
		for range 1 + chance.IntN(keys) {
			r.readState(ctx, by, key(chance))
		}
		return result, err
	}
}

func key(chance *rand.Rand) string { return fmt.Sprint("k", chance.IntN(keys)) }

// readState reads a key in a run. That it cannot be read is no matter here.
func (r *run) readState(ctx context.Context, by execution, key string) {
	ctx, cancel := context.WithTimeout(ctx, stateTimeout)
	defer cancel()
	e := check.Event{Run: by.id.Run.String(), Stage: by.id.Stage, Key: key, Began: r.state.tick()}
	version, err := fn.Get[string](ctx, key)
	if err != nil && !errors.Is(err, mesh.NotFound) {
		return
	}
	e.Version, e.Ended = version, r.state.tick()
	r.state.note(by, e)
}

func (r *run) writeState(ctx context.Context, by execution, key string) {
	ctx, cancel := context.WithTimeout(ctx, stateTimeout)
	defer cancel()
	e := check.Event{Run: by.id.Run.String(), Stage: by.id.Stage, Key: key, Writes: true, Began: r.state.tick(), Version: r.state.next()}
	if err := fn.Put(ctx, key, e.Version); err == nil {
		e.Ended, e.Acked = r.state.tick(), true
	}
	r.state.note(by, e)
}

// writeBeside overwrites the keys until ctx ends, through one node after the
// other. It writes at no level: no write knows of another.
func (r *run) writeBeside(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		e := check.Event{Session: fmt.Sprint("writer ", i), Key: fmt.Sprint("k", i%keys), Writes: true, Began: r.state.tick(), Version: r.state.next()}
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), stateTimeout)
		err := sdk.Register[string](sdk.Attach(r.node(i%r.schedule.Nodes)), e.Key).Put(within, e.Version)
		cancel()
		if err == nil {
			e.Ended, e.Acked = r.state.tick(), true
		}
		r.state.note(execution{}, e)
		if r.schedule.Level.Causal() { // what is written outside of all runs comes after nothing
			time.Sleep(10 * writeInterval)
		}
		time.Sleep(writeInterval)
	}
}

// tick is a moment after all before it: virtual time stands still.
func (s *state) tick() time.Duration {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.clock++
	return s.clock
}

func (s *state) next() string {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.last++
	return fmt.Sprint(s.last)
}

func (s *state) note(by execution, e check.Event) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.events, s.by = append(s.events, e), append(s.by, by)
}

// history gives what happened, ordered as the level orders it.
func (r *run) history() []check.Event {
	r.state.lock.Lock()
	defer r.state.lock.Unlock()
	if !r.schedule.Level.Causal() {
		return r.state.events
	}
	twice := r.state.twice()
	events := slices.Clone(r.state.events)
	for i := range events {
		switch e, by := &events[i], r.state.by[i]; {
		case e.Run == "":
		case twice[e.Run]: // which result the stages after it got is not known
			e.Session = by.id.String()
		default:
			e.Ordered, e.Earlier = true, by.job.earlier(e.Stage)
		}
	}
	return events
}

// twice tells which runs have had a stage executed twice.
func (s *state) twice() map[string]bool {
	type stage struct{ run, name string }
	executed, twice := map[stage]mesh.InvocationID{}, map[string]bool{}
	for i, e := range s.events {
		at := stage{e.Run, e.Stage}
		if before, known := executed[at]; known && before != s.by[i].id {
			twice[e.Run] = true
		}
		executed[at] = s.by[i].id
	}
	return twice
}

// earlier are the stages that are sure to come before another, by its name as
// it is executed: of any-of stages, "name<parent".
func (j job) earlier(stage string) (sure []string) {
	name, parent, isAny := strings.Cut(stage, "<")
	if isAny {
		return append(j.earlier(parent), parent)
	}
	parents := j.dag.Parents(name)
	paths := map[string]int{}
	for _, p := range parents {
		before := j.earlier(j.dag.Stages[p].Name)
		if j.dag.Stages[p].Any == nil {
			before = append(before, j.dag.Stages[p].Name)
		}
		for _, s := range before {
			paths[s]++
		}
	}
	for before, n := range paths {
		if j.dag.Stages[j.dag.Stage(name)].Any == nil || n == len(parents) {
			sure = append(sure, before)
		}
	}
	return sure
}

// story tells what else the runs of a violation did, where, and in which order.
func (r *run) story(v check.Violation) string {
	r.state.lock.Lock()
	defer r.state.lock.Unlock()
	var b strings.Builder
	for i, e := range r.state.events {
		if e.Run == "" || !slices.ContainsFunc(v.Events, func(other check.Event) bool { return other.Run == e.Run }) {
			continue
		}
		fmt.Fprintf(&b, "\n    %v to %v at %s, acknowledged %v: %v", e.Began.Nanoseconds(), e.Ended.Nanoseconds(), r.state.by[i].id.Node.Short(), e.Acked, e)
	}
	return b.String()
}

// checkState holds what runs saw against the level that they asked for.
func (r *run) checkState() error {
	events := r.history()
	kinds := check.Forbidden(r.schedule.Level)
	found, err := check.Check(events, kinds...)
	if err != nil {
		return err
	}
	var told []string
	for _, v := range found {
		told = append(told, v.String()+r.story(v))
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	r.result.StateReads = len(events)
	r.result.Anomalies = len(found)
	if !r.schedule.Lax && len(found) > 0 {
		r.result.Violations = append(r.result.Violations, strings.Join(told[:min(3, len(told))], "\n"))
	}
	return nil
}
