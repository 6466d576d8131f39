package sdk

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Run is one execution of a function or DAG, which any client may attach to by its id.
type Run struct {
	client *Client
	id     mesh.RunID
}

// Run attaches to a run by its id. Whether there is one is known when it is first asked.
func (c *Client) Run(id mesh.RunID) *Run { return &Run{c, id} }

// ID is what other programs attach by.
func (r *Run) ID() mesh.RunID { return r.id }

// Wait waits for the run to end and gives the results of its sinks, or the
// error that it ended with. The mesh tells when it ends: nothing polls. With
// the run still going at the deadline the error is DeadlineExceeded, and
// waiting again is fine. After the nodes' result TTL it is NotFound. Results
// that were not stored or continued with as the call asked are an error, too:
// see RunStatus.Undelivered.
func (r *Run) Wait(ctx context.Context) (Results, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	for {
		reply, err := do[*pb.AwaitRunReply](ctx, r.client, r.op("wait for"), &pb.AwaitRun{RunId: r.id[:]})
		if err != nil {
			return nil, err
		}
		if mesh.RunState(reply.State) != mesh.Running {
			return r.outcome(reply)
		}
		if err := ctx.Err(); err != nil {
			return nil, mesh.AsError(r.op("wait for"), err)
		}
	}
}

func (r *Run) outcome(reply *pb.AwaitRunReply) (Results, error) {
	if reply.Error != nil {
		return nil, wire.ToError(reply.Error)
	}
	if reply.Undelivered != nil {
		return nil, wire.ToError(reply.Undelivered)
	}
	return toResults(reply.Results)
}

// next gives the run that continues with the results of a call; nil: none does.
func (c *Client) next(reply *pb.CallReply) (*Run, error) {
	if len(reply.Next) == 0 {
		return nil, nil
	}
	id, err := wire.ToRunID(reply.Next)
	return c.Run(id), err
}

// Cancel ends the run where it stands. A run that has ended stays as it is.
func (r *Run) Cancel(ctx context.Context) error {
	_, err := do[*pb.Done](ctx, r.client, r.op("cancel"), &pb.CancelRun{RunId: r.id[:]})
	return err
}

// RunStatus is how a run stands, and what it did so far.
type RunStatus struct {
	State       mesh.RunState
	Results     Results // of the sinks, once it succeeded
	Err         error   // what it failed with
	Stages      []StageStatus
	Coordinator mesh.NodeID // the node that plans the run
	Attempt     int         // how often its coordinator had stages placed, from 1: again where nodes were lost
	Anew        int         // how often it began anew, since what it had read was no longer one moment
	// Undelivered is why the results, which are there, were not stored or not
	// continued with as the call asked: calling again with the run's id tries again.
	Undelivered error
	Next        mesh.RunID // the run that continues with the results; zero: none
}

// StageStatus says where a stage runs, why there, and what it did.
type StageStatus struct {
	Name        string
	Func        mesh.FuncRef // with the version
	Node        mesh.NodeID
	Why         string
	Attempt     int           // of the run, in which the stage was given to the node
	Started     time.Time     // zero: not reported yet
	Queued      time.Duration // from its last input on until it had its place; of several executions all together
	Took        time.Duration // from reading its arguments to its result, but for Queued where it was executed once
	ResultBytes int64
	MovedBytes  int64 // of inputs, and of keys that it read, that came from other nodes
	CacheHits   int   // keys that it read, as arguments or by itself, that were on the node
	CacheMisses int   // keys that were read elsewhere
	Executions  int   // of the function
	Skipped     bool  // it did not run: none of its edges was taken
}

// Status tells how the run stands, without waiting.
func (r *Run) Status(ctx context.Context) (RunStatus, error) {
	reply, err := do[*pb.AwaitRunReply](ctx, r.client, r.op("status of"), &pb.AwaitRun{RunId: r.id[:], NoWait: true})
	if err != nil {
		return RunStatus{}, err
	}
	results, err := toResults(reply.Results)
	if err != nil {
		return RunStatus{}, err
	}
	anew, attempt := mesh.SplitAttempt(reply.Attempt)
	status := RunStatus{
		State: mesh.RunState(reply.State), Results: results, Stages: toStages(reply.Plan),
		Coordinator: mesh.NodeID(reply.Coordinator), Attempt: int(attempt), Anew: int(anew),
	}
	if reply.Error != nil {
		status.Err = wire.ToError(reply.Error)
	}
	if reply.Undelivered != nil {
		status.Undelivered = wire.ToError(reply.Undelivered)
	}
	if len(reply.Next) > 0 {
		if status.Next, err = wire.ToRunID(reply.Next); err != nil {
			return RunStatus{}, err
		}
	}
	addReports(status.Stages, reply.Reports)
	return status, nil
}

func (r *Run) op(verb string) string { return verb + " run " + r.id.String() }

func toStages(plan *pb.Plan) []StageStatus {
	stages := make([]StageStatus, 0, len(plan.GetStages()))
	for _, s := range plan.GetStages() {
		f := s.GetFunc()
		_, attempt := mesh.SplitAttempt(s.Attempt)
		stages = append(stages, StageStatus{
			Name: s.Name, Node: mesh.NodeID(s.Node), Why: s.Why, Attempt: int(attempt),
			Func: mesh.FuncRef{Namespace: f.GetNamespace(), Name: f.GetName(), Version: f.GetVersion()},
		})
	}
	return stages
}

func addReports(stages []StageStatus, reports []*pb.StageReport) {
	for _, report := range reports {
		if int64(report.Stage) >= int64(len(stages)) {
			continue
		}
		s := &stages[report.Stage]
		if len(report.Node) > 0 {
			s.Node = mesh.NodeID(report.Node)
		}
		s.Started = time.UnixMicro(int64(report.StartedUs))
		s.Took = time.Duration(report.TookUs) * time.Microsecond
		s.ResultBytes = int64(report.ResultBytes)
		s.Queued = time.Duration(report.QueuedUs) * time.Microsecond
		s.MovedBytes = int64(report.MovedBytes)
		s.CacheHits, s.CacheMisses, s.Executions = int(report.CacheHits), int(report.CacheMisses), int(report.Executions)
		s.Skipped = report.Skipped
	}
}
