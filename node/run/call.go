package run

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// Call plans a run, starts it, and answers with its results, or at once when
// the request asks for a future or a plan.
//
// Errors: Invalid, NotFound and Unavailable when the run cannot be planned;
// UserError, with the stage's name where there is a DAG, and whatever else
// the first stage that failed gave; DeadlineExceeded and Cancelled by the
// context; Overloaded when the node holds as many runs, or bytes, as it may.
func (r *Runs) Call(ctx context.Context, q Request) (Reply, error) {
	reply, err := r.call(ctx, &q)
	if err != nil {
		return Reply{}, mesh.AsError("call "+q.target(), err)
	}
	return reply, nil
}

func (r *Runs) call(ctx context.Context, q *Request) (Reply, error) {
	if r.ctx.Err() != nil {
		return Reply{}, errClosed()
	}
	for q.named() && !q.DryRun {
		c := r.known(q.ID)
		if c == nil {
			break
		}
		if !c.mayBeginAgain() {
			reply, err := c.attach(ctx, q)
			if mesh.KindOf(err) != mesh.DeadlineExceeded || ctx.Err() != nil || !c.mayBeginAgain() {
				return reply, err
			}
			// The deadline was that of the call which began it: this one has more time.
		}
		select {
		case <-c.retired:
		case <-ctx.Done():
			return Reply{}, ctx.Err()
		}
		if r.known(q.ID) == c {
			break
		}
	}
	if err := r.checkAfter(ctx, q.After); err != nil {
		return Reply{}, err
	}
	if q.DAG != "" {
		return r.callDAG(ctx, q)
	}
	return r.callFunc(ctx, q)
}

func (r *Runs) callFunc(ctx context.Context, q *Request) (Reply, error) {
	fn, err := r.cfg.Catalog.Function(ctx, q.Func)
	if err != nil {
		return Reply{}, err
	}
	g := singleGraph(fn).pinnedTo(q.Place)
	if err := g.stages[0].take(q.Stage); err != nil {
		return Reply{}, err
	}
	places, err := r.placeFunc(fn, q)
	if err != nil {
		return Reply{}, err
	}
	if places[0].Node == r.cfg.Self && !q.kept() && !q.DryRun && q.Stage == nil {
		return r.callHere(ctx, q, fn)
	}
	return r.run(ctx, q, g, [][]Arg{q.Args}, places)
}

// take gives a function that is called alone the options of a call.
func (s *stage) take(o *mesh.StageOptions) error {
	if o == nil {
		return nil
	}
	if o.Any != nil {
		return mesh.Errorf(mesh.Invalid, "", "any of the parents' results, for a function that is called alone: expected a stage of a dag")
	}
	s.options = *o
	return o.Validate(s.name)
}

// callHere runs a function on this node, with nothing of a run but its id.
func (r *Runs) callHere(ctx context.Context, q *Request, fn mesh.FuncInfo) (Reply, error) {
	ctx, cancel := r.bounded(ctx, q.Timeout)
	defer cancel()
	in, own, err := r.session(ctx, q.In, q.Consistency)
	if err != nil {
		return Reply{}, err
	}
	id := mesh.InvocationID{Node: r.cfg.Self, Run: mesh.NewRunID(), Stage: fn.Ref.Name, Attempt: 1}
	_, pinned := q.Place[fn.Ref.Name]
	t := piece{id: id, fn: fn, work: q.Work.Part(fn.Ref.Name), in: in, bound: pinned}
	if own && in.Level == mesh.Transactional {
		return r.commitHere(ctx, q, t)
	}
	if own {
		defer r.cfg.Sessions.End(in)
	}
	v, err := r.executeHere(ctx, q, &t)
	if err != nil {
		return Reply{}, err
	}
	return r.tell(ctx, q, Reply{ID: id.Run, Results: []StageResult{{fn.Ref.Name, v}}})
}

// executeHere executes the function of a call with what the arguments refer to.
func (r *Runs) executeHere(ctx context.Context, q *Request, t *piece) (mesh.Value, error) {
	args, err := r.read(ctx, t.in, q.Args, nil)
	if err != nil {
		return mesh.Value{}, err
	}
	return r.executeWhereRoom(ctx, t, args)
}

// session gives the session in which a run reads and writes: that of the
// function which called, or one of its own, which is the run's to end.
func (r *Runs) session(ctx context.Context, in mesh.Session, level mesh.Consistency) (_ mesh.Session, own bool, err error) {
	if !in.IsZero() || level == mesh.Eventual {
		in.Shared, in.Place = true, mesh.Somewhere
		if in.IsZero() {
			return in, false, nil
		}
		return in, false, r.cfg.Sessions.Share(ctx, in)
	}
	in, err = r.cfg.Sessions.Begin(level)
	return in, err == nil, err
}

// tell answers with a result, after what is to be done with it.
func (r *Runs) tell(ctx context.Context, q *Request, reply Reply) (Reply, error) {
	after := concludes(q)
	if after == nil {
		return reply, nil
	}
	if err := r.conclude(ctx, after, reply.ID, reply.Results); err != nil {
		return Reply{}, err
	}
	reply.Next = after.next
	return reply, nil
}

// bounded gives the run a deadline: the one asked for, else that of the
// context, else the default.
func (r *Runs) bounded(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout > 0 {
		return context.WithTimeout(ctx, min(timeout, MaxTimeout))
	}
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, r.cfg.Timeout)
}

// cancellable is bounded, with a cancel that ends the context in any case.
func (r *Runs) cancellable(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok && timeout == 0 {
		return context.WithCancel(ctx)
	}
	return r.bounded(ctx, timeout)
}

func (r *Runs) callDAG(ctx context.Context, q *Request) (Reply, error) {
	dag, err := r.cfg.Catalog.DAG(ctx, q.Namespace, q.DAG)
	if err != nil {
		return Reply{}, err
	}
	g, err := r.graphOf(ctx, dag, q.StageArgs)
	if err != nil {
		return Reply{}, err
	}
	if dag.Consistency != mesh.Eventual {
		asked := *q
		asked.Consistency = q.Consistency.With(dag.Consistency)
		q = &asked
	}
	args := make([][]Arg, len(g.stages))
	for i := range g.stages {
		args[i] = q.StageArgs[g.stages[i].name]
	}
	g = g.pinnedTo(q.Place)
	places, err := r.place(g, nil, args, q.Policy, q.Place, nil)
	if err != nil {
		return Reply{}, err
	}
	return r.run(ctx, q, g, args, places)
}

// run makes a run of what has been planned.
func (r *Runs) run(ctx context.Context, q *Request, g *graph, args [][]Arg, places []Placement) (Reply, error) {
	if q.DryRun {
		plan := spec{graph: g, places: places}
		return Reply{Plan: plan.planned()}, nil
	}
	c := r.newCoordination(q, g, args, places)
	if q.kept() {
		c.after = concludes(q)
		return r.keep(ctx, q, c)
	}
	c.accepted = c.done
	c.ctx, c.cancel = r.cancellable(ctx, q.Timeout)
	defer c.cancel()
	if _, err := r.admit(c); err != nil {
		return Reply{}, err
	}
	c.execute()
	r.retire(c)
	reply, err := c.reply()
	if err != nil {
		return Reply{}, err
	}
	return r.tell(ctx, q, reply)
}

func (r *Runs) newCoordination(q *Request, g *graph, args [][]Arg, places []Placement) *coordination {
	c := &coordination{
		runs: r, id: q.ID, graph: g, args: args, policy: q.Policy, pins: q.Place, named: q.named(), first: 1, next: places,
		level: q.Consistency, in: q.In,
		again: make(chan struct{}, 1), done: make(chan struct{}), told: make(chan struct{}), retired: make(chan struct{}),
		tracker: tracker{bound: r.cfg.Attempts},
	}
	if c.began = time.Now(); !c.named {
		c.id = mesh.NewRunID()
	}
	if c.work = q.Work; !c.work.Named() {
		c.work.ID = c.id
	}
	if q.Again {
		c.work = c.work.Again(c.began) // as far as is known here
	}
	return c
}

// reply gives the results of a run that is over.
func (c *coordination) reply() (Reply, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.settled != nil && c.settled.Err != nil:
		return Reply{}, c.settled.Err
	case c.settled != nil && c.settled.Undelivered != nil && c.after == nil:
		return Reply{}, c.settled.Undelivered
	case c.settled == nil && c.tracker.err != nil:
		return Reply{}, c.tracker.err
	}
	reply := Reply{ID: c.id}
	if c.settled != nil {
		reply.Results, reply.Next = c.settled.Results, c.settled.Next
	} else {
		reply.Results = c.tracker.answers()
	}
	return c.after.complete(reply)
}
