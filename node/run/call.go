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
	if q.named() {
		if c := r.known(q.ID); c != nil {
			return c.attach(ctx, q)
		}
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
	places, err := r.placeFunc(fn, q)
	if err != nil {
		return Reply{}, err
	}
	if places[0].Node == r.cfg.Self && !q.kept() && !q.DryRun {
		return r.callHere(ctx, q, fn)
	}
	return r.run(ctx, q, singleGraph(fn), [][]Arg{q.Args}, places)
}

// callHere runs a function on this node, with nothing of a run but its id.
func (r *Runs) callHere(ctx context.Context, q *Request, fn mesh.FuncInfo) (Reply, error) {
	ctx, cancel := r.bounded(ctx, q.Timeout)
	defer cancel()
	args, err := r.read(ctx, q.Args)
	if err != nil {
		return Reply{}, err
	}
	id := mesh.InvocationID{Node: r.cfg.Self, Run: mesh.NewRunID(), Stage: fn.Ref.Name, Attempt: 1}
	v, err := r.cfg.Executor.Invoke(ctx, Invocation{ID: id, Func: fn, Args: args})
	if err != nil {
		return Reply{}, err
	}
	return Reply{ID: id.Run, Results: []StageResult{{fn.Ref.Name, v}}}, nil
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
	functions := make([]mesh.FuncInfo, len(dag.Stages))
	for i, s := range dag.Stages {
		if functions[i], err = r.cfg.Catalog.Function(ctx, s.Func); err != nil {
			failure := *mesh.AsError("", err)
			failure.Stage = s.Name
			return Reply{}, &failure
		}
	}
	g, err := newGraph(dag, functions, q.StageArgs)
	if err != nil {
		return Reply{}, err
	}
	args := make([][]Arg, len(g.stages))
	for i := range g.stages {
		args[i] = q.StageArgs[g.stages[i].name]
	}
	places, err := r.place(g, args, q.Policy, q.Place, nil)
	if err != nil {
		return Reply{}, err
	}
	return r.run(ctx, q, g, args, places)
}

func (r *Runs) placeFunc(fn mesh.FuncInfo, q *Request) ([]Placement, error) {
	stages := [1]PlaceStage{{Name: fn.Ref.Name, Func: fn, Refs: references(q.Args)}}
	return r.placed(PlaceRequest{Stages: stages[:], Policy: q.Policy, Pins: q.Place})
}

func (r *Runs) place(g *graph, args [][]Arg, policy string, pins map[string]mesh.NodeID, without []mesh.NodeID) ([]Placement, error) {
	stages := make([]PlaceStage, len(g.stages))
	for i := range g.stages {
		s := &g.stages[i]
		stages[i] = PlaceStage{Name: s.name, Func: s.fn, Parents: s.parents, Refs: references(args[i])}
	}
	return r.placed(PlaceRequest{Stages: stages, Policy: policy, Pins: pins, Without: without})
}

func (r *Runs) placed(q PlaceRequest) ([]Placement, error) {
	places, err := r.cfg.Placer.Place(q)
	if err == nil && len(places) != len(q.Stages) {
		err = mesh.Errorf(mesh.Internal, "plan", "%d placements for %d stages", len(places), len(q.Stages))
	}
	return places, err
}

func references(args []Arg) (keys []mesh.Key) {
	for i := range args {
		if args[i].Ref.Name != "" {
			keys = append(keys, args[i].Ref)
		}
	}
	return keys
}

// run makes a run of what has been planned.
func (r *Runs) run(ctx context.Context, q *Request, g *graph, args [][]Arg, places []Placement) (Reply, error) {
	if q.DryRun {
		plan := spec{graph: g, places: places}
		return Reply{Plan: plan.planned()}, nil
	}
	c := r.newCoordination(q, g, args, places)
	if q.kept() {
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
	return c.reply()
}

func (r *Runs) newCoordination(q *Request, g *graph, args [][]Arg, places []Placement) *coordination {
	c := &coordination{
		runs: r, id: q.ID, graph: g, args: args, policy: q.Policy, pins: q.Place, named: q.named(), first: 1, next: places,
		again: make(chan struct{}, 1), done: make(chan struct{}), tracker: tracker{bound: r.cfg.Attempts},
	}
	if !c.named {
		c.id = mesh.NewRunID()
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
	case c.settled != nil:
		return Reply{ID: c.id, Results: c.settled.Results}, nil
	case c.tracker.err != nil:
		return Reply{}, c.tracker.err
	}
	return Reply{ID: c.id, Results: c.tracker.answers()}, nil
}

// known finds a run that this node coordinates, or lately did.
func (r *Runs) known(id mesh.RunID) *coordination {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.coordinated[id]; c != nil {
		return c
	}
	return r.history.get(id, time.Now())
}

// admit takes a run on, or finds the one that has its id already.
func (r *Runs) admit(c *coordination) (*coordination, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return nil, errClosed()
	case r.coordinated[c.id] != nil:
		return r.coordinated[c.id], nil
	case len(r.coordinated) >= r.cfg.MaxRuns:
		return nil, mesh.Errorf(mesh.Overloaded, "", "the node coordinates %d runs already: retry later", r.cfg.MaxRuns)
	}
	r.coordinated[c.id] = c
	return c, nil
}

// retire moves a run that is over to the history, without its arguments.
func (r *Runs) retire(c *coordination) {
	c.mu.Lock()
	c.args, c.share = nil, nil
	charged, size, refused := c.charged, c.tracker.held, c.refused
	if c.settled != nil {
		size = c.settled.bytes()
	}
	c.charged = 0
	c.mu.Unlock()
	r.charge(-charged)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.coordinated, c.id)
	if !refused {
		r.history.add(c, size, time.Now())
	}
}
