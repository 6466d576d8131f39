package run

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Record is how a run stands, or how it ended: what Await answers, what
// explains a run, and what the store keeps of it.
type Record struct {
	State       mesh.RunState
	Results     []StageResult // of the sinks, once it succeeded
	Err         *mesh.Error   // once it failed
	Plan        []PlannedStage
	Reports     []StageReport // of the stages known to have finished, by stage
	Coordinator mesh.NodeID
	// Attempt is the last one once the run is over; while it runs, the first
	// of this coordinator.
	Attempt uint32
	// Began is when a coordinator first took the run on, by its clock.
	Began time.Time
	// Next is the run that continues with the result, once it was started.
	Next mesh.RunID
	// Undelivered is why the result of a run that succeeded was not stored,
	// or not continued with, as was asked.
	Undelivered *mesh.Error
}

// PlannedStage is a stage with the node that runs it, and why that one.
type PlannedStage struct {
	Name string
	Func mesh.FuncRef // with the version
	Placement
	Parents []int
	HasArgs bool // it has arguments of the call itself
	Options mesh.StageOptions
	When    []mesh.Condition // by parent, of the edge from it; nil where none has one
	Attempt uint32           // in which the stage was given to the node; 0 in a plan that did not begin
	Pinned  bool             // by the caller, to the node
}

// StageReport says what a stage did.
type StageReport struct {
	Stage      int // index in the plan
	Node       mesh.NodeID
	Attempt    uint32        // in which the stage was given to the node
	Started    time.Time     // by that node's clock
	Queued     time.Duration // from its last input on until it had its place; of several executions all together
	Took       time.Duration // from reading its arguments to its result, but for Queued where it was executed once
	Bytes      int           // of the result
	Moved      int64         // bytes of inputs, and of keys that it read, that came from other nodes
	Hits       int           // keys that it read, as arguments or by itself, that were on the node
	Misses     int           // keys that were read elsewhere
	Executions int           // of the function
	Skipped    bool          // it did not run: none of its edges was taken
}

// ended reports whether the record is final.
func (r *Record) ended() bool { return r.State == mesh.Succeeded || r.State == mesh.Failed }

// conclusive reports whether a call with the run's id is answered by the record.
// A run that failed for want of nodes, time or room, or since others were in
// its way, is begun again instead: who calls again grants it more of that.
func (r *Record) conclusive() bool {
	if r.State != mesh.Failed {
		return r.State == mesh.Succeeded
	}
	switch mesh.KindOf(r.Err) {
	case mesh.Unavailable, mesh.DeadlineExceeded, mesh.Overloaded, mesh.Conflict:
		return false
	}
	return true
}

// bytes is the size of the results.
func (r *Record) bytes() (sum int64) {
	for _, result := range r.Results {
		sum += int64(len(result.Value.Data))
	}
	return sum
}

// Message gives the record as a message that shares its values' bytes.
func (r *Record) Message() *pb.AwaitRunReply {
	m := &pb.AwaitRunReply{
		State: uint32(r.State), Results: resultMessages(r.Results), Plan: planMessage(r.Plan),
		Coordinator: []byte(r.Coordinator), Attempt: r.Attempt,
	}
	if !r.Began.IsZero() {
		m.BeganUs = uint64(r.Began.UnixMicro())
	}
	if r.Next != (mesh.RunID{}) {
		m.Next = r.Next[:]
	}
	if r.Undelivered != nil {
		m.Undelivered = wire.FromError(r.Undelivered, "")
	}
	if r.Err != nil {
		m.Error = wire.FromError(r.Err, "")
	}
	for i := range r.Reports {
		m.Reports = append(m.Reports, r.Reports[i].message())
	}
	return m
}

// ParseRecord reads what Message gives. The record shares the message's bytes.
func ParseRecord(m *pb.AwaitRunReply) (Record, error) {
	state := mesh.RunState(min(m.State, 255))
	if state < mesh.Running || state > mesh.Failed {
		return Record{}, mesh.Errorf(mesh.Invalid, "run record", "state %d: expected %d to %d", m.State, mesh.Running, mesh.Failed)
	}
	plan, err := parsePlan(m.GetPlan())
	if err != nil {
		return Record{}, err
	}
	r := Record{State: state, Err: wire.ToError(m.Error), Plan: plan, Coordinator: mesh.NodeID(m.Coordinator), Attempt: m.Attempt}
	if m.BeganUs > 0 {
		r.Began = time.UnixMicro(int64(m.BeganUs))
	}
	if r.Undelivered = wire.ToError(m.Undelivered); len(m.Next) > 0 {
		if r.Next, err = wire.ToRunID(m.Next); err != nil {
			return Record{}, err
		}
	}
	if state == mesh.Failed && r.Err == nil {
		return Record{}, mesh.Errorf(mesh.Invalid, "run record", "failed without an error")
	}
	for _, sink := range m.Results {
		v, err := wire.ToValue(sink.Value)
		if err != nil {
			return Record{}, err
		}
		r.Results = append(r.Results, StageResult{sink.Stage, v})
	}
	for _, report := range m.Reports {
		parsed := parseReport(report)
		r.Reports = append(r.Reports, parsed.at(mesh.NodeID(report.Node)))
	}
	return r, nil
}

func resultMessages(results []StageResult) []*pb.StageResult {
	messages := make([]*pb.StageResult, len(results))
	for i, r := range results {
		messages[i] = &pb.StageResult{Stage: r.Stage, Value: wire.FromValue(r.Value)}
	}
	return messages
}

func planMessage(plan []PlannedStage) *pb.Plan {
	m := &pb.Plan{Stages: make([]*pb.PlannedStage, len(plan))}
	for i, p := range plan {
		stage := &pb.PlannedStage{
			Name: p.Name, Func: wire.FromFuncRef(p.Func), Node: []byte(p.Node), Why: p.Why, HasArgs: p.HasArgs, Attempt: p.Attempt, Pinned: p.Pinned,
			Options: wire.FromStageOptions(&p.Options),
		}
		for _, parent := range p.Parents {
			stage.Parents = append(stage.Parents, uint32(parent))
		}
		for _, when := range p.When {
			stage.When = append(stage.When, when.String())
		}
		m.Stages[i] = stage
	}
	return m
}

// parsePlan reads a plan and checks its bounds; whether the parents make
// sense is for graph.link to see.
func parsePlan(m *pb.Plan) ([]PlannedStage, error) {
	if len(m.GetStages()) > mesh.MaxStages {
		return nil, mesh.Errorf(mesh.Invalid, "plan", "%d stages: expected at most %d", len(m.Stages), mesh.MaxStages)
	}
	plan := make([]PlannedStage, len(m.GetStages()))
	edges := 0
	for i, stage := range m.GetStages() {
		if edges += len(stage.GetParents()); edges > mesh.MaxEdges {
			return nil, mesh.Errorf(mesh.Invalid, "plan", "more than %d edges", mesh.MaxEdges)
		}
		if err := plan[i].parse(stage); err != nil {
			return nil, err
		}
	}
	return plan, nil
}

func (p *PlannedStage) parse(m *pb.PlannedStage) error {
	fn, err := wire.ToFuncRef(m.GetFunc())
	if err != nil {
		return err
	}
	options, err := wire.ToStageOptions(m.Options)
	if err == nil {
		err = options.Validate(m.Name)
	}
	if err != nil {
		return err
	}
	*p = PlannedStage{
		Name: m.Name, Func: fn, Placement: Placement{mesh.NodeID(m.Node), m.Why}, HasArgs: m.HasArgs, Options: options, Attempt: m.Attempt, Pinned: m.Pinned,
	}
	for _, parent := range m.Parents {
		p.Parents = append(p.Parents, int(parent))
	}
	if len(m.When) > 0 && len(m.When) != len(m.Parents) {
		return mesh.Errorf(mesh.Invalid, "plan", "stage %q has %d conditions for %d parents: expected as many, or none", m.Name, len(m.When), len(m.Parents))
	}
	for _, text := range m.When {
		when, err := wire.ToCondition(text)
		if err != nil {
			return err
		}
		p.When = append(p.When, when)
	}
	return nil
}

// encodePlan gives a plan as it travels with hops.
func encodePlan(plan []PlannedStage) []byte {
	encoded, err := proto.Marshal(planMessage(plan))
	if err != nil {
		panic("run: a plan of valid names does not encode: " + err.Error())
	}
	return encoded
}

// decodePlan reads what encodePlan gives.
func decodePlan(encoded []byte) ([]PlannedStage, error) {
	var m pb.Plan
	if err := proto.Unmarshal(encoded, &m); err != nil {
		return nil, mesh.Errorf(mesh.Invalid, "plan", "%w", err)
	}
	return parsePlan(&m)
}

// record gives the tracker's view of the run.
func (t *tracker) record(self mesh.NodeID, attempt uint32) Record {
	r := Record{State: mesh.Running, Coordinator: self, Attempt: attempt}
	if t.spec != nil {
		r.Plan, r.Attempt = t.spec.planned(), t.spec.attempt
		for i := range t.heard {
			if at := t.heard[i].report; at > 0 {
				r.Reports = append(r.Reports, t.reports[at-1].at(t.spec.places[i].Node))
			}
		}
	}
	if t.phase != over {
		return r
	}
	if r.State, r.Err = mesh.Failed, t.err; t.err == nil {
		r.State, r.Results = mesh.Succeeded, t.answers()
	}
	return r
}
