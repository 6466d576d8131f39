package node

import (
	"context"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/run"
	"github.com/virga-mesh/virga/node/trigger"
	"github.com/virga-mesh/virga/node/watch"
)

// maxTriggerWatches bounds the triggers on changes that one node keeps: the
// watches of more wait for a place.
const maxTriggerWatches = 4096

func (r *rooms) openTriggers() {
	r.triggerWatches = watch.New(watch.Options{
		Ring: r.ring, Local: r.store, Placement: placement{r}, Peers: r.peers, Replicas: r.cfg.Replicas, Watchers: maxTriggerWatches,
	})
	r.triggers = trigger.New(trigger.Options{
		Self: r.self, Notes: r.triggerNotes, State: r.state, Local: r.store, Placement: placement{r},
		Watches: r.triggerWatches, Scanner: r.replica, Runner: triggerRunner{r}, Log: r.log,
	})
}

// triggerRunner lets triggers run functions and DAGs.
type triggerRunner struct{ rooms *rooms }

// Check implements trigger.Runner.
func (r triggerRunner) Check(ctx context.Context, t *mesh.Trigger) (err error) {
	if t.DAG != "" {
		_, err = r.rooms.catalog.DAG(ctx, t.Namespace, t.DAG)
	} else {
		_, err = r.rooms.catalog.Function(ctx, t.Func)
	}
	return err
}

// Run implements trigger.Runner.
func (r triggerRunner) Run(ctx context.Context, id mesh.RunID, t *mesh.Trigger, values []mesh.Value) (ended bool, err error) {
	request, err := r.request(ctx, t, values)
	if err != nil {
		return false, err
	}
	request.ID, request.Timeout = id, t.Timeout
	if _, err = r.rooms.runs.Call(ctx, request); err == nil {
		return true, nil
	}
	record, unknown := r.rooms.runs.Await(ctx, id, true)
	return unknown == nil && record.State == mesh.Failed && mesh.KindOf(record.Err) != mesh.Unavailable, err
}

// request asks for a run of what the trigger names.
func (r triggerRunner) request(ctx context.Context, t *mesh.Trigger, values []mesh.Value) (run.Request, error) {
	args := make([]run.Arg, len(values))
	for i, v := range values {
		args[i].Value = v
	}
	if t.DAG == "" {
		return run.Request{Func: t.Func, Args: args}, nil
	}
	dag, err := r.rooms.catalog.DAG(ctx, t.Namespace, t.DAG)
	if err != nil {
		return run.Request{}, err
	}
	request := run.Request{Namespace: t.Namespace, DAG: t.DAG, StageArgs: map[string][]run.Arg{}}
	for _, stage := range dag.Stages {
		if len(dag.Parents(stage.Name)) == 0 {
			request.StageArgs[stage.Name] = args
		}
	}
	return request, nil
}
