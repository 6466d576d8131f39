package run

import (
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// ParseCall reads a request to run a function. Values share the message's bytes.
func ParseCall(m *pb.Call) (Request, error) {
	fn, err := wire.ToFuncRef(m.GetRef())
	if err != nil {
		return Request{}, err
	}
	args, err := parseArgs(m.GetArgs())
	if err != nil {
		return Request{}, err
	}
	options, err := parseOptions(m.GetOptions())
	if err == nil {
		err = checkReferences(options.ID, args)
	}
	return Request{Func: fn, Args: args, Options: options}, err
}

// ParseCallDAG reads a request to run a DAG. Values share the message's bytes.
func ParseCallDAG(m *pb.CallDAG) (Request, error) {
	if m.GetName() == "" {
		return Request{}, mesh.Errorf(mesh.Invalid, "call", "the dag's name is empty")
	}
	q := Request{Namespace: m.GetNamespace(), DAG: m.GetName(), StageArgs: make(map[string][]Arg, len(m.GetArgs()))}
	var all [][]Arg
	for stage, list := range m.GetArgs() {
		args, err := parseArgs(list.GetArgs())
		if err != nil {
			return Request{}, err
		}
		q.StageArgs[stage] = args
		all = append(all, args)
	}
	var err error
	if q.Options, err = parseOptions(m.GetOptions()); err == nil {
		err = checkReferences(q.ID, all...)
	}
	return q, err
}

func parseOptions(m *pb.CallOptions) (Options, error) {
	o := Options{
		Future: m.GetFuture(), DryRun: m.GetDryRun(), Policy: m.GetPolicy(),
		Timeout: micros(m.GetTimeoutUs()),
	}
	for stage, node := range m.GetPlace() {
		if o.Place == nil {
			o.Place = make(map[string]mesh.NodeID, len(m.GetPlace()))
		}
		o.Place[stage] = mesh.NodeID(node)
	}
	err := o.parseIDs(m)
	return o, err
}

// parseIDs reads what names the run and its work, and what follows it.
func (o *Options) parseIDs(m *pb.CallOptions) (err error) {
	if len(m.GetRunId()) > 0 {
		if o.ID, err = wire.ToRunID(m.GetRunId()); err != nil {
			return err
		}
	}
	o.Again = m.GetAgain()
	o.Consistency = mesh.Consistency(min(m.GetConsistency(), 255))
	if err = o.Consistency.Validate(); err != nil {
		return err
	}
	if o.In, err = wire.ToSession(m.GetSession()); err != nil {
		return err
	}
	if o.Work, err = parseWork(m.GetWork(), m.GetWorkAgeUs()); err != nil {
		return err
	}
	if m.GetStage() != nil {
		stage, err := wire.ToStageOptions(m.Stage)
		if err != nil {
			return err
		}
		o.Stage = &stage
	}
	return o.parseAfter(m)
}

func (o *Options) parseAfter(m *pb.CallOptions) (err error) {
	if m.GetOutput() == nil && m.GetThen() == nil {
		return nil
	}
	o.After = &After{}
	if m.Output != nil {
		if o.After.Output, err = wire.ToKey(m.Output); err != nil {
			return err
		}
	}
	if m.Then != nil {
		o.After.Then, err = wire.ToFuncRef(m.Then)
	}
	return err
}

// Message gives the reply as a message that shares its values' bytes.
func (r *Reply) Message() *pb.CallReply {
	m := &pb.CallReply{RunId: r.ID[:], Results: resultMessages(r.Results)}
	if r.Next != (mesh.RunID{}) {
		m.Next = r.Next[:]
	}
	if r.Plan != nil {
		m.Plan = planMessage(r.Plan)
	}
	return m
}
