package node

import (
	"context"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/node/run"
)

func (r *rooms) call(ctx context.Context, m *pb.Call) (wire.Message, error) {
	request, err := run.ParseCall(m)
	if err != nil {
		return nil, err
	}
	return answerOf(r.runs.Call(ctx, request))
}

func (r *rooms) callDAG(ctx context.Context, m *pb.CallDAG) (wire.Message, error) {
	request, err := run.ParseCallDAG(m)
	if err != nil {
		return nil, err
	}
	return answerOf(r.runDAG(ctx, request))
}

// runDAG runs a DAG, and counts that it was asked for.
func (r *rooms) runDAG(ctx context.Context, request run.Request) (run.Reply, error) {
	reply, err := r.runs.Call(ctx, request)
	if mesh.KindOf(err) != mesh.NotFound && !request.DryRun { // names that are no DAG's are not counted
		r.dagCalls.count(request.Namespace, request.DAG)
	}
	return reply, err
}

func answerOf(reply run.Reply, err error) (wire.Message, error) {
	if err != nil {
		return nil, err
	}
	return reply.Message(), nil
}

func (r *rooms) awaitRun(ctx context.Context, m *pb.AwaitRun) (wire.Message, error) {
	id, err := wire.ToRunID(m.GetRunId())
	if err != nil {
		return nil, err
	}
	record, err := r.runs.Await(ctx, id, m.GetNoWait())
	if err != nil {
		return nil, err
	}
	return record.Message(), nil
}

func (r *rooms) cancelRun(ctx context.Context, m *pb.CancelRun) (wire.Message, error) {
	id, err := wire.ToRunID(m.GetRunId())
	if err != nil {
		return nil, err
	}
	return nil, r.runs.Cancel(ctx, id)
}
