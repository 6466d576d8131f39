package run

import (
	"github.com/virga-mesh/virga/mesh"
)

// execution is one node's view of a run: which inputs its stages have, which
// of them run, what they resulted in, and where that goes. It is a state
// machine without I/O, clock or goroutine. An input that comes twice, or is
// of a stage that this node does not run, changes nothing.
type execution struct {
	self   mesh.NodeID
	spec   *spec
	stages []progress // by stage
	room   []slot     // for stages that have no inputs yet
	left   int        // stages of this node that have not ended
	held   int64      // bytes of inputs that wait, and of results that are kept
	keeps  bool       // results, so that they can be sent again
	full   bool       // only those that must be
	lost   []mesh.NodeID
	gone   uint32 // the last attempt of whose stages here some are forgotten, or their results
	// Since the last survey no plan has come yet. Until then all results are
	// kept: where they have to go may be about to change.
	surveyed bool
	unsent   reports   // that no message has taken along yet
	told     []reports // that one has, where results are kept
}

// progress is where a stage of this node stands.
type progress struct {
	inputs  []slot // nil before the first
	missing int32  // inputs that are not there
	tries   int32  // of an any-of stage, under way
	started bool
	done    bool
	skipped bool
	kept    bool       // the result is there
	result  mesh.Value // while it is kept
	moved   int64      // bytes of inputs that came from other nodes
	branch  *branch    // nil: nothing of it
}

// branch is what few stages have.
type branch struct {
	taken   []bool // by child, whether the edge to it is; nil: all are
	failure error  // of an any-of stage, the first
}

func (st *progress) branched() *branch {
	if st.branch == nil {
		st.branch = &branch{}
	}
	return st.branch
}

// task is one execution of a stage: with all its inputs, or, of an any-of
// stage, with one of its parents' results. Parent 0 is the whole stage.
type task struct{ stage, parent int }

// begun is how a task begins.
type begun struct {
	verdict verdict
	args    []Arg
	spec    *spec
	err     error
}

type verdict uint8

const (
	stale  verdict = iota // there is nothing to do any more
	invoke                // run the function
	skip                  // none of the stage's edges is taken
	refute                // nothing valid has come, or can
)

func newExecution(self mesh.NodeID, s *spec) execution {
	return execution{self: self, spec: s, stages: make([]progress, len(s.stages)), left: s.stagesOn(self)}
}

// forgot says that the node has forgotten the attempts up to one: stages that
// it had by then have ended here, and their results are not here any more.
func (e *execution) forgot(attempt uint32) {
	for i := range e.stages {
		if e.spec.places[i].Node == e.self && e.spec.placed(i) <= attempt && !e.stages[i].done {
			e.stages[i].done, e.gone = true, attempt
			e.left--
		}
	}
}

// outputs are what is to be done after an input.
type outputs struct {
	invoke []task     // of stages of this node, which can start
	send   []delivery // for other nodes
	sink   bool       // the result is for the coordinator
}

// delivery is a result on its way to a stage of another node.
type delivery struct {
	port
	node   mesh.NodeID
	from   int // the stage whose result it is
	value  mesh.Value
	absent bool

	also  []port // of the same node, that get the same
	taken bool   // it goes along with another one
}

// arrive takes an input, and adds the tasks that can start by it. It reports
// whether the input is new.
func (e *execution) arrive(p port, in input, ready []task) (_ []task, fresh bool) {
	if !e.expects(p) {
		return ready, false
	}
	st, stage := &e.stages[p.stage], &e.spec.stages[p.stage]
	if st.inputs == nil {
		st.inputs, st.missing = e.slots(len(stage.parents)+1), int32(stage.inputs())
	}
	if st.inputs[p.input].arrived {
		return ready, false
	}
	st.inputs[p.input] = slot{args: in.args, arrived: true, absent: in.absent}
	e.held += sizeOf(in.args)
	if in.moved {
		st.moved += dataOf(in.args)
	}
	st.missing--
	if stage.anyOf() {
		return st.readyAny(p, stage.hasArgs, ready), true
	}
	if st.missing == 0 {
		ready = append(ready, task{stage: p.stage})
	}
	return ready, true
}

// slots gives room for the inputs of a stage: a piece of what all stages here
// need, which is made at once.
func (e *execution) slots(n int) []slot {
	if len(e.room) < n {
		need := 0
		for i := range e.stages {
			if e.spec.places[i].Node == e.self && e.stages[i].inputs == nil {
				need += len(e.spec.stages[i].parents) + 1
			}
		}
		e.room = make([]slot, need)
	}
	slots := e.room[:n:n]
	e.room = e.room[n:]
	return slots
}

// expects reports whether the stage is this node's, has such an input, and
// has not ended.
func (e *execution) expects(p port) bool {
	if p.stage < 0 || p.stage >= len(e.stages) || e.spec.places[p.stage].Node != e.self || e.stages[p.stage].done {
		return false
	}
	stage := &e.spec.stages[p.stage]
	if p.input == 0 {
		return stage.hasArgs
	}
	return p.input > 0 && p.input <= len(stage.parents)
}

// start begins a task: with the call's own arguments, then the parents'
// results in edge order, whatever the order of arrival.
func (e *execution) start(t task) begun {
	st := &e.stages[t.stage]
	switch {
	case st.done || st.inputs == nil || e.spec.places[t.stage].Node != e.self:
		return begun{}
	case e.spec.stages[t.stage].anyOf():
		return e.startAny(t)
	case st.started || st.missing > 0:
		return begun{}
	}
	st.started = true
	if st.noneTaken() {
		return begun{verdict: skip, spec: e.spec}
	}
	args := joined(st.inputs)
	e.release(st)
	return begun{verdict: invoke, args: args, spec: e.spec}
}

// ending is how a stage ended.
type ending struct {
	skipped bool
	value   mesh.Value
	taken   []bool // by child; nil: all edges are
	report  report
}

// finish takes the end of a task that began under a spec, and passes it to
// the stages of this node that wait for it.
func (e *execution) finish(t task, under *spec, end ending) outputs {
	if !e.close(t.stage, under) {
		return outputs{}
	}
	st := &e.stages[t.stage]
	end.report.stage, end.report.attempt = t.stage, e.spec.placed(t.stage)
	end.report.moved, end.report.skipped = end.report.moved+st.moved, end.skipped
	if e.unsent.own == nil && !e.keeps {
		e.unsent.own = make([]report, 0, e.left+1) // they all go to the coordinator together
	}
	e.unsent.own = append(e.unsent.own, end.report)
	if st.skipped = end.skipped; end.taken != nil {
		st.branched().taken = end.taken
	}
	e.release(st)
	e.keep(t.stage, end)
	out := outputs{sink: e.spec.stages[t.stage].sink()}
	for i := range e.spec.stages[t.stage].children {
		e.feed(&out, t.stage, i, end.value)
	}
	return out
}

// feed hands the result of a stage to its ith child.
func (e *execution) feed(out *outputs, stage, i int, v mesh.Value) {
	st, child := &e.stages[stage], e.spec.stages[stage].children[i]
	absent := st.skipped || st.branch != nil && st.branch.taken != nil && !st.branch.taken[i]
	if absent {
		v = mesh.Value{}
	}
	if node := e.spec.places[child.stage].Node; node != e.self {
		out.send = append(out.send, delivery{port: child, node: node, from: stage, value: v, absent: absent})
		return
	}
	in := input{absent: absent}
	if !absent {
		in.args = []Arg{{Value: v}}
	}
	out.invoke, _ = e.arrive(child, in, out.invoke)
}

// keep holds the result of a stage that ended, until the run is over.
func (e *execution) keep(stage int, end ending) {
	st := &e.stages[stage]
	switch {
	case !e.keeps:
	case end.skipped:
		st.kept = true
	case !e.full || e.surveyed:
		st.kept, st.result = true, end.value
		e.held += keptSize(end.value)
	}
}

func keptSize(v mesh.Value) int64 { return (&Arg{Value: v}).size() }

// close notes that a stage has ended, with a result or an error. It reports
// whether that concerns the execution of the stage which is under way.
func (e *execution) close(stage int, under *spec) bool {
	st := &e.stages[stage]
	if !st.started || st.done || !e.spec.stays(under, stage) {
		return false
	}
	st.done = true
	e.left--
	return true
}

// takeReports hands over the reports for a message to take along.
func (e *execution) takeReports() reports {
	taken := e.unsent
	if e.keeps {
		e.told = append(e.told, taken)
	}
	e.unsent = reports{}
	return taken
}
