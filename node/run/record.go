package run

import (
	"cmp"
	"slices"
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
}

// StageReport says what a stage did.
type StageReport struct {
	Stage   int // index in the plan
	Node    mesh.NodeID
	Started time.Time     // by that node's clock
	Took    time.Duration // from reading its arguments to its result
	Bytes   int           // of the result
}

// ended reports whether the record is final.
func (r *Record) ended() bool { return r.State == mesh.Succeeded || r.State == mesh.Failed }

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
	if r.Err != nil {
		m.Error = wire.FromError(r.Err, "")
	}
	for _, report := range r.Reports {
		m.Reports = append(m.Reports, &pb.StageReport{
			Stage: uint32(report.Stage), Node: []byte(report.Node), StartedUs: uint64(report.Started.UnixMicro()),
			TookUs: uint64(report.Took / time.Microsecond), ResultBytes: uint64(report.Bytes),
		})
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
		r.Reports = append(r.Reports, StageReport{
			Stage: int(report.Stage), Node: mesh.NodeID(report.Node), Started: time.UnixMicro(int64(report.StartedUs)),
			Took: time.Duration(report.TookUs) * time.Microsecond, Bytes: int(report.ResultBytes),
		})
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
			Name: p.Name, Func: wire.FromFuncRef(p.Func), Node: []byte(p.Node), Why: p.Why, HasArgs: p.HasArgs,
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
		Name: m.Name, Func: fn, Placement: Placement{mesh.NodeID(m.Node), m.Why}, HasArgs: m.HasArgs, Options: options,
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
		for _, report := range t.reports {
			r.Reports = append(r.Reports, StageReport{report.stage, t.spec.places[report.stage].Node, report.started, report.took, report.bytes})
		}
		slices.SortFunc(r.Reports, func(a, b StageReport) int { return cmp.Compare(a.Stage, b.Stage) })
	}
	if t.phase != over {
		return r
	}
	if r.State, r.Err = mesh.Failed, t.err; t.err == nil {
		r.State, r.Results = mesh.Succeeded, t.answers()
	}
	return r
}
