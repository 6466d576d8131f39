package run

import (
	"slices"

	"github.com/virga-mesh/virga/mesh"
)

// tracker is the coordinator's view of a run: which attempt is under way,
// which sinks have reported, and how it ended. It is a state machine without
// I/O, clock or goroutine; every input answers with what to do next. An
// input that comes too late, twice, or from an execution of a stage that was
// given up changes nothing.
type tracker struct {
	bound   int  // attempts at most, not counted those that only began anew
	commits bool // it is committed, or verified, before it is over

	phase      phase
	hurt       bool  // something was lost that may have to run again
	spec       *spec // of the current attempt
	tried      int
	generation int           // how often it began anew, for what it had read was no longer one moment
	lost       []mesh.NodeID // seen to die; nothing is placed there again
	past       []mesh.NodeID // of the plans before, but for the coordinator's own
	heard      []heard       // by stage
	reports    []report      // at most one of each stage
	missing    int           // sinks that have not reported
	held       int64
	failure    *mesh.Error // of a stage, while it is not known whether the run begins anew
	err        *mesh.Error // why it failed, once it is over
}

// heard is what has been heard of a stage.
type heard struct {
	ended   bool // a sink has reported
	skipped bool
	report  int32 // where in reports the stage's is, from 1; 0: it has none
	value   mesh.Value
}

type phase uint8

const (
	planning phase = iota
	running
	committing // all sinks have reported, or a stage has failed: what else comes of stages and nodes changes nothing
	over
)

// effect is what is to be done after an input.
type effect struct {
	end    *spec // an attempt that its executors must forget
	replan bool  // begin the run, or see what has to run again
	commit bool
	answer bool
}

// begin starts the first attempt of a generation. It has not started if the run ended, or a
// node of the plan was lost, meanwhile; ask the phase.
func (t *tracker) begin(s *spec) effect {
	if t.phase != planning {
		return effect{}
	}
	t.spec = s
	t.tried++
	t.heard = make([]heard, len(s.stages))
	t.missing = len(s.sinks)
	if slices.ContainsFunc(t.lost, s.uses) {
		return t.again()
	}
	t.phase = running
	return effect{}
}

// again has the run planned again, if it may.
func (t *tracker) again() effect {
	if t.tried < t.bound {
		return effect{replan: true}
	}
	return t.fail(t.exhausted())
}

func (t *tracker) exhausted() error {
	if len(t.lost) == 0 {
		return mesh.Errorf(mesh.Unavailable, "", "stages were lost in attempt %d of %d", t.tried, t.bound)
	}
	return mesh.Errorf(mesh.Unavailable, "", "node %s was lost in attempt %d of %d", t.lost[len(t.lost)-1], t.tried, t.bound)
}

// current reports whether an input concerns an execution of a stage that is
// still wanted: any since the stage was placed where it is.
func (t *tracker) current(attempt uint32, stage int) bool {
	return t.phase == running && stage >= 0 && stage < len(t.spec.stages) && attempt <= t.spec.attempt && attempt >= t.spec.placed(stage)
}

// sinkResult takes the end of a sink.
func (t *tracker) sinkResult(attempt uint32, stage int, end ending, reports []report) effect {
	if !t.current(attempt, stage) || !t.spec.stages[stage].sink() || t.heard[stage].ended {
		return effect{}
	}
	h := &t.heard[stage]
	h.ended, h.skipped, h.value = true, end.skipped, end.value
	t.held += int64(len(end.value.Data))
	t.learn(reports)
	if t.missing--; t.missing > 0 {
		return effect{}
	}
	if t.commits {
		t.phase = committing
		return effect{commit: true}
	}
	t.phase = over
	return effect{answer: true}
}

// learn takes reports of the executions that count.
func (t *tracker) learn(reports []report) {
	if t.reports == nil {
		t.reports = make([]report, 0, len(t.heard))
	}
	for i := range reports {
		r := &reports[i]
		if r.stage >= len(t.heard) || r.attempt != t.spec.placed(r.stage) {
			continue
		}
		if at := t.heard[r.stage].report; at > 0 {
			t.reports[at-1] = *r
			continue
		}
		t.reports = append(t.reports, *r)
		t.heard[r.stage].report = int32(len(t.reports))
	}
}

// stageFailed takes the error of a stage: the first one ends the run, unless
// that begins anew.
func (t *tracker) stageFailed(attempt uint32, stage int, err error) effect {
	if !t.current(attempt, stage) {
		return effect{}
	}
	failure := t.named(stage, mesh.AsError("", err))
	if t.commits {
		t.phase, t.failure = committing, failure
		return effect{commit: true}
	}
	return t.fail(failure)
}

// named gives the error with the stage's name. One that has a stage already
// comes from a run that the function itself called.
func (t *tracker) named(stage int, err *mesh.Error) *mesh.Error {
	if t.spec.single {
		return err
	}
	failure := *err
	if err.Stage != "" {
		inner := *err
		inner.Node = ""
		failure = mesh.Error{Kind: err.Kind, Node: err.Node, Err: &inner}
	}
	failure.Stage = t.spec.stages[stage].name
	return &failure
}

// nodeDown takes the death of a node, or that it cannot be reached.
func (t *tracker) nodeDown(node mesh.NodeID) effect {
	if t.phase == over || slices.Contains(t.lost, node) {
		return effect{}
	}
	t.lost = append(t.lost, node)
	if t.phase != running || !t.spec.uses(node) {
		return effect{}
	}
	return t.injured()
}

// injured takes it that something of the run is lost.
func (t *tracker) injured() effect {
	if t.phase != running || t.hurt {
		return effect{}
	}
	t.hurt = true
	return effect{replan: true}
}

// amend goes on with another attempt, in which some stages run again. Where
// one of them was placed at a node that was lost meanwhile, the run is injured anew.
func (t *tracker) amend(s *spec) effect {
	if t.phase != running {
		return effect{}
	}
	if t.tried >= t.bound {
		return t.fail(t.exhausted())
	}
	t.past = t.members()
	t.spec = s
	t.tried++
	for i := range s.stages {
		if s.placed(i) == s.attempt && slices.Contains(t.lost, s.places[i].Node) {
			return t.injured()
		}
	}
	return effect{}
}

// fail ends the run: its deadline passed, it was cancelled, it cannot be planned.
func (t *tracker) fail(err error) effect {
	if t.phase == over {
		return effect{}
	}
	e := effect{answer: true}
	if t.phase == running || t.phase == committing {
		e.end = t.spec
	}
	t.phase, t.err = over, mesh.AsError("", err)
	return e
}

// answers lists the results of the sinks that ran, in the DAG's order.
func (t *tracker) answers() []StageResult {
	results := make([]StageResult, 0, len(t.spec.sinks))
	for _, sink := range t.spec.sinks {
		if h := &t.heard[sink]; !h.skipped {
			results = append(results, StageResult{t.spec.stages[sink].name, h.value})
		}
	}
	return results
}

// ended tells, by stage, which sinks have reported.
func (t *tracker) ended() []bool {
	ended := make([]bool, len(t.heard))
	for i := range t.heard {
		ended[i] = t.heard[i].ended
	}
	return ended
}

// members lists the nodes, but for the coordinator's own, that take part or
// did: those that were lost may still do.
func (t *tracker) members() []mesh.NodeID {
	nodes := slices.Clone(t.past)
	for _, node := range t.spec.nodes() {
		if node != t.spec.coordinator && !slices.Contains(nodes, node) {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// keepers lists those of the members that keep results until they are told
// that the run is over.
func (t *tracker) keepers() (nodes []mesh.NodeID) {
	if t.past != nil {
		return t.members()
	}
	for i := range t.spec.stages {
		node := t.spec.places[i].Node
		if node != t.spec.coordinator && !t.spec.stages[i].sink() && !slices.Contains(nodes, node) {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// awaits reports whether the run waits for what a node has to do, or keeps, of
// stages that were placed there up to an attempt.
func (t *tracker) awaits(node mesh.NodeID, attempt uint32) bool {
	if t.phase != running || node == t.spec.coordinator || slices.Contains(t.lost, node) {
		return false
	}
	for i := range t.spec.stages {
		if t.spec.places[i].Node == node && t.spec.placed(i) <= attempt && !t.heard[i].ended {
			return true
		}
	}
	return false
}
