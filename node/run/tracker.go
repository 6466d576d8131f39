package run

import (
	"slices"

	"github.com/virga-mesh/virga/mesh"
)

// tracker is the coordinator's view of a run: which attempt is under way,
// which sinks have reported, and how it ended. It is a state machine without
// I/O, clock or goroutine; every input answers with what to do next. An
// input that comes too late, twice, or from another attempt changes nothing.
type tracker struct {
	bound int // attempts at most

	phase   phase
	spec    *spec // of the current attempt
	tried   int
	lost    []mesh.NodeID // seen to die; no attempt uses them again
	results []mesh.Value  // by stage, of sinks
	arrived []bool
	missing int // sinks that have not reported
	held    int64
	reports []report
	err     *mesh.Error // why it failed, once it is over
}

type phase uint8

const (
	planning phase = iota
	running
	over
)

// effect is what is to be done after an input.
type effect struct {
	end    *spec // an attempt that its executors must forget
	replan bool
	answer bool
}

// begin starts an attempt. It has not started if the run ended, or a node of
// the plan was lost, meanwhile; ask the phase.
func (t *tracker) begin(s *spec) effect {
	if t.phase != planning {
		return effect{}
	}
	t.phase, t.spec = running, s
	t.tried++
	t.results, t.arrived = make([]mesh.Value, len(s.stages)), make([]bool, len(s.stages))
	t.missing, t.held, t.reports = len(s.sinks), 0, nil
	for _, node := range t.lost {
		if s.uses(node) {
			return t.again(node)
		}
	}
	return effect{}
}

// current reports whether an input concerns the attempt under way.
func (t *tracker) current(attempt uint32, stage int) bool {
	return t.phase == running && attempt == t.spec.attempt && stage >= 0 && stage < len(t.spec.stages)
}

// sinkResult takes the result of a sink.
func (t *tracker) sinkResult(attempt uint32, stage int, v mesh.Value, reports []report) effect {
	if !t.current(attempt, stage) || !t.spec.stages[stage].sink() || t.arrived[stage] {
		return effect{}
	}
	t.arrived[stage], t.results[stage] = true, v
	t.held += int64(len(v.Data))
	t.learn(reports)
	if t.missing--; t.missing > 0 {
		return effect{}
	}
	t.phase = over
	return effect{answer: true}
}

// learn adds reports. Each comes once; a peer that says otherwise gains no more
// than the room of the stages.
func (t *tracker) learn(reports []report) {
	room := len(t.spec.stages) - len(t.reports)
	t.reports = append(t.reports, reports[:min(room, len(reports))]...)
}

// stageFailed takes the error of a stage: the first one ends the run.
func (t *tracker) stageFailed(attempt uint32, stage int, err error) effect {
	if !t.current(attempt, stage) {
		return effect{}
	}
	return t.fail(t.named(stage, mesh.AsError("", err)))
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

// nodeDown takes the death of a node, or that it cannot be reached. An
// attempt that uses it is given up, and another one planned.
func (t *tracker) nodeDown(node mesh.NodeID) effect {
	if t.phase == over || slices.Contains(t.lost, node) {
		return effect{}
	}
	t.lost = append(t.lost, node)
	if t.phase != running || !t.spec.uses(node) {
		return effect{}
	}
	return t.again(node)
}

func (t *tracker) again(lost mesh.NodeID) effect {
	if t.tried >= t.bound {
		return t.fail(mesh.Errorf(mesh.Unavailable, "", "node %s was lost in attempt %d of %d", lost, t.tried, t.bound))
	}
	t.phase = planning
	return effect{end: t.spec, replan: true}
}

// fail ends the run: its deadline passed, it was cancelled, it cannot be planned.
func (t *tracker) fail(err error) effect {
	if t.phase == over {
		return effect{}
	}
	e := effect{answer: true}
	if t.phase == running {
		e.end = t.spec
	}
	t.phase, t.err = over, mesh.AsError("", err)
	return e
}

// answers lists the results of the sinks in the DAG's order.
func (t *tracker) answers() []StageResult {
	results := make([]StageResult, len(t.spec.sinks))
	for i, sink := range t.spec.sinks {
		results[i] = StageResult{t.spec.stages[sink].name, t.results[sink]}
	}
	return results
}
