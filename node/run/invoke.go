package run

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/effects"
)

// invoke runs a stage: on this node, unless its options let parts of it run
// on others.
func (r *Runs) invoke(ctx context.Context, s *spec, i int, args []Arg) (mesh.Value, report, error) {
	started := time.Now()
	st := &s.stages[i]
	fn, err := r.function(ctx, st)
	if err != nil {
		return mesh.Value{}, report{}, err
	}
	meter := &Meter{}
	in := s.sessionOf(i)
	values, err := r.read(ctx, in, args, meter)
	if err != nil {
		return mesh.Value{}, report{}, err
	}
	name := st.invocationName(ctx)
	t := piece{
		id: mesh.InvocationID{Node: r.cfg.Self, Run: s.run, Stage: name, Attempt: s.attempt},
		fn: fn, work: s.work.Part(name), in: in, labels: st.options.Labels, bound: st.bound(), meter: meter,
	}
	done := report{stage: i, started: started}
	var v mesh.Value
	if isPlain(&st.options) {
		v, err = r.executeWhereRoom(ctx, &t, values)
	} else {
		t.options, t.executed = &st.options, new(atomic.Uint32)
		v, err = r.perform(ctx, t, values)
		done.executions = uint32(t.executed.Load())
	}
	meter.note(&done)
	if done.took, done.bytes = time.Since(started), len(v.Data); done.executions <= 1 {
		done.took -= done.queued
	}
	return v, done, err
}

// isPlain reports whether a stage's function is executed once, here.
func isPlain(o *mesh.StageOptions) bool {
	return o.Batch == mesh.Batch{} && o.Map == mesh.Map{} && o.Retry == mesh.Retry{} && !o.Hedge.On && o.Timeout == 0
}

// How long a node looks for what describes a function while nobody who has it
// can be reached, as it is for a node that was cut off until a moment ago; and
// how long it rests between two looks.
const (
	functionPatience = 3 * time.Second
	functionRest     = 50 * time.Millisecond
)

// function describes the stage's function: as the coordinator resolved it,
// or, elsewhere, by its version.
func (r *Runs) function(ctx context.Context, s *stage) (mesh.FuncInfo, error) {
	if s.fn.Kind != 0 {
		return s.fn, nil
	}
	for began := time.Now(); ; {
		fn, err := r.cfg.Catalog.Function(ctx, s.fn.Ref)
		if err == nil || mesh.KindOf(err) != mesh.Unavailable || time.Since(began) >= functionPatience {
			return fn, err
		}
		select {
		case <-time.After(functionRest):
		case <-ctx.Done():
			return mesh.FuncInfo{}, err
		}
	}
}

// piece is a piece of work: a function with what an execution of it needs beside its arguments.
type piece struct {
	id       mesh.InvocationID // of the next execution
	fn       mesh.FuncInfo
	work     effects.Work
	in       mesh.Session
	options  *mesh.StageOptions // nil where it is executed once, here
	labels   map[string]string  // that a node needs to execute it
	bound    bool               // to the stage's node: no other may execute it
	spread   bool               // an element of a list: it may run on other nodes
	meter    *Meter             // of the stage; nil: nobody asks
	executed *atomic.Uint32     // how often, all elements of a stage together; nil: it is not counted
}

// perform runs a piece as its options say.
func (r *Runs) perform(ctx context.Context, t piece, args []mesh.Value) (mesh.Value, error) {
	if t.options.Map.Parallel > 0 {
		return r.mapped(ctx, t, args)
	}
	return r.retried(ctx, t, args)
}

// once makes one attempt.
func (r *Runs) once(ctx context.Context, t *piece, args []mesh.Value) (mesh.Value, error) {
	switch {
	case t.options.Batch.Size > 0:
		return r.batched(ctx, t, args)
	case t.spread:
		return r.anywhere(ctx, t, args)
	}
	v, err := r.at(ctx, r.cfg.Self, t, args)
	return r.unlessRefused(ctx, t, args, v, err)
}

// at runs an attempt on a node, with a second copy on another one where the
// piece is hedged.
func (r *Runs) at(ctx context.Context, node mesh.NodeID, t *piece, args []mesh.Value) (mesh.Value, error) {
	if t.options.Hedge.On {
		return r.hedged(ctx, node, t, args)
	}
	return r.executeAt(ctx, node, t, args)
}

// executeAt executes a piece once, on this node or another.
func (r *Runs) executeAt(ctx context.Context, node mesh.NodeID, t *piece, args []mesh.Value) (mesh.Value, error) {
	if t.executed != nil {
		t.executed.Add(1)
	}
	if node == r.cfg.Self {
		return r.execute(ctx, t, args)
	}
	return r.executeElsewhere(ctx, node, t, args)
}

// execute executes a piece once, here.
func (r *Runs) execute(ctx context.Context, t *piece, args []mesh.Value) (mesh.Value, error) {
	return r.cfg.Executor.Invoke(ctx, Invocation{ID: t.id, Func: t.fn, Args: args, Work: t.work, In: t.in, Meter: t.meter})
}

// Executions of one stage on one node differ in the attempt of their ids,
// above what numbers the run's own, and elements of a list also in the stage.
const (
	retryStep = 1 << 20 // from one execution to the next
	hedgeStep = 1 << 31 // from a copy to the other
)

// again is the piece for another execution of what may have been executed
// since first.
func (t piece) again(first time.Time) piece {
	t.id.Attempt += retryStep
	t.work = t.work.Again(first)
	return t
}
