package dags

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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

// The functions of the stages of runs that read state. Each has its run's
// level in its name, since a function does not know it.
const (
	plainReads = "plain-reads"
	anyOfReads = "any-of-reads"
)

// state is what runs read and write, as those saw it who did.
type state struct {
	lock   sync.Mutex
	events []check.Event
	last   int // version written
}

// reading has the stages of a job read state.
func (j job) reading() job {
	for i := range j.dag.Stages {
		f := &j.dag.Stages[i].Func
		f.Name = map[string]string{plain: plainReads, anyOf: anyOfReads}[f.Name]
	}
	return j
}

// provideReaders gives the functions that read state to each node.
func (r *run) provideReaders() []node.Option {
	stage := func(isAny bool) func(context.Context, fn.Variadic[string]) (string, error) {
		return func(ctx context.Context, args fn.Variadic[string]) (string, error) {
			id := fn.ID(ctx)
			chance := rand.New(rand.NewPCG(r.schedule.Seed, uint64(len(id.Stage))+uint64(time.Now().UnixNano())))
			r.readState(ctx, id, key(chance))
			if chance.IntN(6) == 0 {
				r.writeState(ctx, id, key(chance))
			}
			result, err := r.stage(ctx, isAny, args)
			r.readState(ctx, id, key(chance))
			return result, err
		}
	}
	return []node.Option{node.Handle(plainReads, stage(false)), node.Handle(anyOfReads, stage(true))}
}

func key(chance *rand.Rand) string { return fmt.Sprint("k", chance.IntN(keys)) }

// readState reads a key in a run. That it cannot be read is no matter here.
func (r *run) readState(ctx context.Context, id mesh.InvocationID, key string) {
	ctx, cancel := context.WithTimeout(ctx, stateTimeout)
	defer cancel()
	e := check.Event{Run: id.Run.String(), Stage: id.Stage, Key: key, Began: r.now()}
	version, err := fn.Get[string](ctx, key)
	if err != nil && !errors.Is(err, mesh.NotFound) {
		return
	}
	e.Version, e.Ended = version, r.now()
	r.state.note(e)
}

func (r *run) writeState(ctx context.Context, id mesh.InvocationID, key string) {
	ctx, cancel := context.WithTimeout(ctx, stateTimeout)
	defer cancel()
	e := check.Event{Run: id.Run.String(), Stage: id.Stage, Key: key, Writes: true, Began: r.now(), Version: r.state.next()}
	if err := fn.Put(ctx, key, e.Version); err == nil {
		e.Ended, e.Acked = r.now(), true
	}
	r.state.note(e)
}

// writeBeside overwrites the keys until ctx ends, through one node after the other.
func (r *run) writeBeside(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		e := check.Event{Session: "writer", Key: fmt.Sprint("k", i%keys), Writes: true, Began: r.now(), Version: r.state.next()}
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), stateTimeout)
		err := sdk.Register[string](sdk.Attach(r.node(i%r.schedule.Nodes)), e.Key).Put(within, e.Version)
		cancel()
		if err == nil {
			e.Ended, e.Acked = r.now(), true
		}
		r.state.note(e)
		time.Sleep(writeInterval)
	}
}

func (s *state) next() string {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.last++
	return fmt.Sprint(s.last)
}

func (s *state) note(e check.Event) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.events = append(s.events, e)
}

// checkState holds what runs saw against the level that they asked for.
func (r *run) checkState() error {
	r.state.lock.Lock()
	defer r.state.lock.Unlock()
	found, err := check.Check(r.state.events, check.Unwritten, check.NonRepeatable)
	if err != nil {
		return err
	}
	var told []string
	for _, v := range found {
		told = append(told, v.String())
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	r.result.StateReads = len(r.state.events)
	r.result.Anomalies = len(found)
	if !r.schedule.Lax && len(found) > 0 {
		r.result.Violations = append(r.result.Violations, strings.Join(told[:min(3, len(told))], "\n"))
	}
	return nil
}
