package wire

import (
	"maps"
	"math"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// FromDAG gives d as a message.
func FromDAG(d *mesh.DAG) *pb.DAG {
	m := &pb.DAG{Namespace: d.Namespace, Name: d.Name, Consistency: uint32(d.Consistency)}
	for _, s := range d.Stages {
		m.Stages = append(m.Stages, &pb.Stage{Name: s.Name, Func: FromFuncRef(s.Func), Options: FromStageOptions(&s.StageOptions)})
	}
	for _, e := range d.Edges {
		m.Edges = append(m.Edges, &pb.Edge{From: e.From, To: e.To, When: e.When.String()})
	}
	return m
}

// ToDAG reads and validates a DAG.
func ToDAG(m *pb.DAG) (*mesh.DAG, error) {
	d := &mesh.DAG{Namespace: m.GetNamespace(), Name: m.GetName(), Consistency: mesh.Consistency(min(m.GetConsistency(), 255))}
	for _, s := range m.GetStages() {
		options, err := ToStageOptions(s.GetOptions())
		if err != nil {
			return nil, err
		}
		d.Stages = append(d.Stages, mesh.Stage{Name: s.GetName(), StageOptions: options, Func: mesh.FuncRef{
			Namespace: s.GetFunc().GetNamespace(), Name: s.GetFunc().GetName(), Version: s.GetFunc().GetVersion(),
		}})
	}
	for _, e := range m.GetEdges() {
		when, err := ToCondition(e.GetWhen())
		if err != nil {
			return nil, err
		}
		d.Edges = append(d.Edges, mesh.Edge{From: e.GetFrom(), To: e.GetTo(), When: when})
	}
	return d, d.Validate()
}

// FromStageOptions gives the options as a message, nil if there are none.
func FromStageOptions(o *mesh.StageOptions) *pb.StageOptions {
	if o.IsZero() {
		return nil
	}
	m := &pb.StageOptions{
		BatchSize: uint32(o.Batch.Size), BatchWithinUs: toMicros(o.Batch.Within), MapParallel: uint32(o.Map.Parallel),
		RetryAttempts: uint32(o.Retry.Attempts), RetryBackoffUs: toMicros(o.Retry.Backoff), RetryLongestUs: toMicros(o.Retry.Longest),
		Hedge: o.Hedge.On, HedgeAfterUs: toMicros(o.Hedge.After), TimeoutUs: toMicros(o.Timeout),
		Colocate: o.Colocate, Labels: maps.Clone(o.Labels),
	}
	if o.Any != nil {
		m.Any = &pb.AnyOf{}
		for _, v := range o.Any.Invalid {
			m.Any.Invalid = append(m.Any.Invalid, FromValue(v))
		}
	}
	return m
}

// ToStageOptions reads options; nil gives none. Bounds are for
// mesh.DAG.Validate to see: what does not fit is made as large as it can be.
func ToStageOptions(m *pb.StageOptions) (o mesh.StageOptions, err error) {
	if m == nil {
		return o, nil
	}
	o = mesh.StageOptions{
		Batch:   mesh.Batch{Size: toCount(m.BatchSize), Within: fromMicros(m.BatchWithinUs)},
		Map:     mesh.Map{Parallel: toCount(m.MapParallel)},
		Retry:   mesh.Retry{Attempts: toCount(m.RetryAttempts), Backoff: fromMicros(m.RetryBackoffUs), Longest: fromMicros(m.RetryLongestUs)},
		Hedge:   mesh.Hedge{On: m.Hedge, After: fromMicros(m.HedgeAfterUs)},
		Timeout: fromMicros(m.TimeoutUs), Colocate: m.Colocate, Labels: maps.Clone(m.Labels),
	}
	if m.Any == nil {
		return o, nil
	}
	o.Any = &mesh.AnyOf{}
	for _, invalid := range m.Any.Invalid {
		v, err := ToValue(invalid)
		if err != nil {
			return o, err
		}
		o.Any.Invalid = append(o.Any.Invalid, v)
	}
	return o, nil
}

// ToCondition reads a condition; empty text is the one that is always met.
func ToCondition(text string) (mesh.Condition, error) {
	if text == "" {
		return mesh.Condition{}, nil
	}
	return mesh.ParseCondition(text)
}

func toCount(n uint32) int { return int(min(n, math.MaxInt32)) }

func toMicros(d time.Duration) uint64 { return uint64(max(d, 0) / time.Microsecond) }

func fromMicros(n uint64) time.Duration {
	return time.Duration(min(n, uint64(math.MaxInt64/time.Microsecond))) * time.Microsecond
}
