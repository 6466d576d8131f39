package run

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

// conclusion is what becomes of a run's result before anyone is told. A nil
// conclusion is that of a run with whose result nothing is done.
type conclusion struct {
	After
	timeout time.Duration // of the run that continues
	policy  string

	turn sync.Mutex // held to try

	mu   sync.Mutex
	made bool
	next mesh.RunID
	err  *mesh.Error
}

// concludes gives the conclusion that a request asks for.
func concludes(q *Request) *conclusion {
	if q.After == nil {
		return nil
	}
	return &conclusion{After: *q.After, timeout: q.Timeout, policy: q.Policy}
}

// note adds how it went to the run's record.
func (e *conclusion) note(r *Record) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.made || e.err != nil {
		r.Next, r.Undelivered = e.next, e.err
	}
}

// was says that an earlier coordinator has done it.
func (e *conclusion) was(next mesh.RunID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.made, e.next = true, next
}

// failed gives the error of a conclusion that was tried in vain.
func (e *conclusion) failed() error {
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil {
		return nil
	}
	return e.err
}

// complete adds to a reply which run continues, or gives the error of what
// could not be done.
func (e *conclusion) complete(reply Reply) (Reply, error) {
	if e == nil {
		return reply, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil {
		return Reply{}, e.err
	}
	if e.made {
		reply.Next = e.next
	}
	return reply, nil
}

// conclude stores a run's result and continues with it, unless that was done
// before. Both have ids that follow from the run's: to do them again is to
// do them once.
func (r *Runs) conclude(ctx context.Context, e *conclusion, id mesh.RunID, results []StageResult) error {
	e.turn.Lock()
	defer e.turn.Unlock()
	e.mu.Lock()
	made := e.made
	e.mu.Unlock()
	if made {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	next, err := r.deliver(ctx, e, id, results)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.made, e.next, e.err = err == nil, next, mesh.AsError("", err)
	return err
}

func (r *Runs) deliver(ctx context.Context, e *conclusion, id mesh.RunID, results []StageResult) (next mesh.RunID, err error) {
	result, err := whole(results)
	if err != nil {
		return next, err
	}
	if e.Output.Name != "" {
		if err := r.cfg.Outputs.Put(ctx, e.Output, result, string(id[:])); err != nil {
			return next, within(err, "the result was not stored under %s", e.Output)
		}
	}
	if e.Then.Name == "" {
		return next, nil
	}
	q, err := r.continuation(ctx, e.Then, result)
	if err == nil {
		q.Options = Options{Future: true, ID: id.Next(), Timeout: e.timeout, Policy: e.policy}
		_, err = r.Call(ctx, q)
	}
	if err != nil {
		return next, within(err, "%s was not started with the result", e.Then)
	}
	return id.Next(), nil
}

// Outcome gives the state of the run, and its result as one value or the
// error that it ended with.
func (r *Record) Outcome() (mesh.RunState, mesh.Value, error) {
	switch {
	case r.Err != nil:
		return r.State, mesh.Value{}, r.Err
	case r.Undelivered != nil:
		return r.State, mesh.Value{}, r.Undelivered
	case r.State != mesh.Succeeded:
		return r.State, mesh.Value{}, nil
	}
	v, err := whole(r.Results)
	return r.State, v, err
}

// Whole gives the results of a run that was waited for as one value: that of
// its sole sink, or an object of those of all by stage.
func (r *Reply) Whole() (mesh.Value, error) { return whole(r.Results) }

// whole gives the results of a run as one value; no value where there are none.
func whole(results []StageResult) (mesh.Value, error) {
	switch len(results) {
	case 0: // all sinks were skipped
		return mesh.Value{}, nil
	case 1:
		return results[0].Value, nil
	}
	members := make([]codec.Member, len(results))
	for i, result := range results {
		members[i] = codec.Member{Name: result.Stage, Value: result.Value}
	}
	return codec.Map(members)
}

// continuation gives the request for a DAG, or else a function, of a name.
func (r *Runs) continuation(ctx context.Context, then mesh.FuncRef, result mesh.Value) (Request, error) {
	first := []Arg{{Value: result}}
	if then.Version == "" {
		dag, err := r.cfg.Catalog.DAG(ctx, then.Namespace, then.Name)
		if err == nil {
			return Request{Namespace: then.Namespace, DAG: then.Name, StageArgs: toEntries(dag, first)}, nil
		}
		if !errors.Is(err, mesh.NotFound) {
			return Request{}, err
		}
	}
	_, err := r.cfg.Catalog.Function(ctx, then)
	if errors.Is(err, mesh.NotFound) {
		err = mesh.Errorf(mesh.NotFound, "", "neither a dag nor a function is named %s", then)
	}
	return Request{Func: then, Args: first}, err
}

// toEntries gives arguments to each stage without parents.
func toEntries(dag *mesh.DAG, args []Arg) map[string][]Arg {
	entries := map[string][]Arg{}
	for _, s := range dag.Stages {
		if len(dag.Parents(s.Name)) == 0 {
			entries[s.Name] = args
		}
	}
	return entries
}

// checkAfter refuses what cannot be done with a result, before there is one.
func (r *Runs) checkAfter(ctx context.Context, after *After) error {
	if after == nil {
		return nil
	}
	if after.Output.Name != "" {
		if err := after.Output.Validate(); err != nil {
			return err
		}
		if after.Output.Namespace == mesh.SystemNamespace {
			return mesh.Errorf(mesh.Denied, "output "+after.Output.String(), "namespace %q is for nodes only", mesh.SystemNamespace)
		}
	}
	if after.Then.Name == "" {
		return nil
	}
	_, err := r.continuation(ctx, after.Then, mesh.Value{})
	return err
}

// concluded does what is to be done with the result of a kept run. Only the
// owner calls it.
func (c *coordination) concluded() {
	if c.after == nil {
		return
	}
	record := c.record()
	if record.State != mesh.Succeeded {
		return
	}
	if c.settled != nil && record.Undelivered == nil { // by an earlier coordinator
		c.after.was(record.Next)
		return
	}
	if err := c.runs.conclude(c.runs.ctx, c.after, c.id, record.Results); err != nil {
		c.runs.cfg.Log.Warn("the result of a run is not where it should be", "run", c.id, "err", err)
	}
	if c.settled != nil {
		c.saveResult()
	}
}

// repair tries again to do what was to be done with the result.
func (c *coordination) repair(ctx context.Context) {
	if c.after.failed() == nil {
		return
	}
	if err := c.runs.conclude(ctx, c.after, c.id, c.record().Results); err == nil {
		c.saveResult()
	}
}
