package run

import (
	"time"

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
		Timeout: time.Duration(min(m.GetTimeoutUs(), uint64(MaxTimeout/time.Microsecond))) * time.Microsecond,
	}
	for stage, node := range m.GetPlace() {
		if o.Place == nil {
			o.Place = make(map[string]mesh.NodeID, len(m.GetPlace()))
		}
		o.Place[stage] = mesh.NodeID(node)
	}
	if len(m.GetRunId()) == 0 {
		return o, nil
	}
	var err error
	o.ID, err = wire.ToRunID(m.GetRunId())
	return o, err
}

// Message gives the reply as a message that shares its values' bytes.
func (r *Reply) Message() *pb.CallReply {
	m := &pb.CallReply{RunId: r.ID[:], Results: resultMessages(r.Results)}
	if r.Plan != nil {
		m.Plan = planMessage(r.Plan)
	}
	return m
}
