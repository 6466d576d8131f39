package sdk

import (
	"context"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Args are the arguments of a DAG by stage. A stage receives its own first,
// then the results of its parents in the order of the edges.
//
//	sdk.Args{"incr": {1}, "sum": {1, 2}}
type Args map[string][]any

// DAG runs one DAG of the mesh.
type DAG struct {
	// Options of the calls. Set them before the first one.
	Options CallOptions

	client *Client
	name   string
}

// DAG gives a handle on a DAG of the client's namespace. Whether it exists is
// known at the call: NotFound.
func (c *Client) DAG(name string) *DAG { return &DAG{client: c, name: name} }

// Call runs the DAG and waits for the results of its sinks. The error of a
// stage carries the stage's name.
func (d *DAG) Call(ctx context.Context, args Args) (Results, error) {
	results, _, err := d.CallThen(ctx, args)
	return results, err
}

// CallThen is Call for a DAG whose Options.Then says what continues with the
// results: it gives that run, too, else nil.
func (d *DAG) CallThen(ctx context.Context, args Args) (results Results, next *Run, err error) {
	reply, err := d.send(ctx, args, forResult)
	if err != nil {
		return nil, nil, err
	}
	if next, err = d.client.next(reply); err != nil {
		return nil, nil, err
	}
	results, err = toResults(reply.Results)
	return results, next, err
}

// Start runs the DAG and waits for nothing but that it was taken.
func (d *DAG) Start(ctx context.Context, args Args) (*Run, error) {
	reply, err := d.send(ctx, args, forFuture)
	if err != nil {
		return nil, err
	}
	id, err := wire.ToRunID(reply.RunId)
	if err != nil {
		return nil, mesh.AsError(d.op(), err)
	}
	return d.client.Run(id), nil
}

// Plan tells where each stage would run, and why there, and runs nothing.
func (d *DAG) Plan(ctx context.Context, args Args) ([]StageStatus, error) {
	reply, err := d.send(ctx, args, forPlan)
	if err != nil {
		return nil, err
	}
	return toStages(reply.Plan), nil
}

func (d *DAG) send(ctx context.Context, args Args, m mode) (*pb.CallReply, error) {
	options, err := d.Options.message(ctx, d.client.namespace, m)
	if err != nil {
		return nil, mesh.AsError(d.op(), err)
	}
	if len(options.RunId) == 0 && len(options.Work) == 0 {
		options.Work = drawID() // should it be sent again, what its stages did before counts once
	}
	req := &pb.CallDAG{
		Namespace: d.client.namespace, Name: d.name,
		Args: make(map[string]*pb.StageArgs, len(args)), Options: options,
	}
	for stage, list := range args {
		encoded, err := encodeList(list)
		if err != nil {
			e := *mesh.AsError(d.op(), err)
			e.Stage = stage
			return nil, &e
		}
		req.Args[stage] = &pb.StageArgs{Args: encoded}
	}
	return do[*pb.CallReply](ctx, d.client.patientUnless(d.Options.Once), d.op(), req)
}

func (d *DAG) op() string { return "call dag " + d.name }
