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
	writesADelete = 8                     // one of so many first writes of transactions is a delete: few, since a missing key explains much
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
	by     []execution           // of events
	ends   map[int]check.Outcome // of calls that read
	last   int                   // version written
	clock  time.Duration
}

// execution is one of a stage of a job.
type execution struct {
	job  job
	id   mesh.InvocationID // zero: of none
	call int
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
		by := execution{job: j, id: fn.ID(ctx)}
		if _, err := fmt.Sscan(args[0], &by.call); err != nil {
			return "", err
		}
		chance := rand.New(rand.NewPCG(r.schedule.Seed, uint64(len(by.id.Stage))+uint64(time.Now().UnixNano())))
		r.readsAndWrites(ctx, by, chance)
		result, err := r.stage(ctx, isAny, j.quick, args[1:])
		for range 1 + chance.IntN(keys) {
			r.readState(ctx, by, key(chance))
		}
		return result, err
	}
}

// readsAndWrites are those with which a stage begins. Who reads what it writes has
// versions of a key come after one another.
func (r *run) readsAndWrites(ctx context.Context, by execution, chance *rand.Rand) {
	read := key(chance)
	r.readState(ctx, by, read)
	if r.schedule.Level == mesh.Transactional && chance.IntN(2) == 0 {
		other := key(chance)
		r.readState(ctx, by, other)
		r.writeState(ctx, by, other, chance.IntN(writesADelete) == 0)
		r.writeState(ctx, by, read, false)
		return
	}
	switch chance.IntN(4) {
	case 0:
		r.writeState(ctx, by, read, false)
	case 1:
		r.writeState(ctx, by, key(chance), false)
	}
}

func key(chance *rand.Rand) string { return fmt.Sprint("k", chance.IntN(keys)) }

// readState reads a key in a run. That it cannot be read is no matter here.
func (r *run) readState(ctx context.Context, by execution, key string) {
	ctx, cancel := context.WithTimeout(ctx, stateTimeout)
	defer cancel()
	e := by.event(key, r.state.tick())
	version, err := fn.Get[string](ctx, key)
	if err != nil && !errors.Is(err, mesh.NotFound) {
		return
	}
	e.Version, e.Ended = version, r.state.tick()
	r.state.note(by, e)
}

func (r *run) writeState(ctx context.Context, by execution, key string, deletes bool) {
	ctx, cancel := context.WithTimeout(ctx, stateTimeout)
	defer cancel()
	e := by.event(key, r.state.tick())
	e.Writes, e.Deletes, e.Version = true, deletes, r.state.next()
	write := func() error { return fn.Put(ctx, key, e.Version) }
	if deletes {
		write = func() error { return fn.Delete(ctx, key) }
	}
	if err := write(); err == nil {
		e.Ended, e.Acked = r.state.tick(), true
	}
	r.state.note(by, e)
}

func (by execution) event(key string, began time.Duration) check.Event {
	return check.Event{
		Run: by.id.Run.String(), Stage: by.id.Stage, Execution: fmt.Sprint(by.id.Node, " ", by.id.Attempt), Attempt: by.id.Attempt, Generation: by.id.Generation(),
		Key: key, Began: began,
	}
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
		if r.schedule.Level != mesh.Eventual { // what is written outside of all runs comes after nothing
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
	events := slices.Clone(r.state.events)
	for i := range events {
		e := &events[i]
		if e.Run == "" {
			continue
		}
		if r.schedule.Level != mesh.Eventual {
			e.Ordered, e.Earlier = true, r.state.by[i].job.dag.Earlier(e.Stage)
		}
		if r.schedule.Level == mesh.Transactional {
			e.Transaction = e.Run
		}
	}
	return check.Conclude(events, r.state.outcomes())
}

// outcomes gives how runs ended, of those that were the only one of their call.
// Which of several the call had its answer of is not known: nothing is promised then.
func (s *state) outcomes() map[string]check.Outcome {
	ends, runs := map[string]check.Outcome{}, map[int]string{}
	for i, e := range s.events {
		if e.Run == "" {
			continue
		}
		call := s.by[i].call
		ends[e.Run] = check.Outcome{Err: errUnknown}
		if other, known := runs[call]; known && other != e.Run {
			runs[call] = "several"
		} else {
			runs[call] = e.Run
		}
	}
	for call, outcome := range s.ends {
		ends[runs[call]] = outcome
	}
	return ends
}

var errUnknown = mesh.Errorf(mesh.Unavailable, "", "how the run ended is not known")

// ended notes how a call of a run that reads ended.
func (s *state) ended(call int, err error) {
	at := s.tick()
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.ends == nil {
		s.ends = map[int]check.Outcome{}
	}
	s.ends[call] = check.Outcome{At: at, Err: err}
}

// readEnds reads all keys once more, when nothing is under way.
func (r *run) readEnds(ctx context.Context) error {
	client := sdk.Attach(r.node(0)).WithState(sdk.StateOptions{ReadQuorum: 2})
	for i := range keys {
		e := check.Event{Session: fmt.Sprint("end ", i), Key: fmt.Sprint("k", i), Final: true, Began: r.state.tick()}
		version, err := sdk.Register[string](client, e.Key).Get(ctx)
		if err != nil && !errors.Is(err, mesh.NotFound) {
			return err
		}
		e.Version, e.Ended = version, r.state.tick()
		r.state.note(execution{}, e)
	}
	return nil
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
		generation, placed := mesh.SplitAttempt(r.state.by[i].id.Attempt)
		fmt.Fprintf(&b, "\n    %v to %v at %s, generation %d, attempt %d, acknowledged %v: %v", e.Began.Nanoseconds(), e.Ended.Nanoseconds(), r.state.by[i].id.Node.Short(), generation, placed, e.Acked, e)
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
