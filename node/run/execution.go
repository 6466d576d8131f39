package run

import (
	"github.com/virga-mesh/virga/mesh"
)

// execution is one node's view of an attempt: which inputs its stages have,
// which of them run, and where their results go. It is a state machine
// without I/O, clock or goroutine. An input that comes twice, or is of a
// stage that this node does not run, changes nothing.
type execution struct {
	self   mesh.NodeID
	spec   *spec
	stages []progress // by stage
	left   int        // stages of this node that have not finished
	held   int64      // bytes of inputs that wait
	unsent []report   // that no message has taken along yet
}

// progress is where a stage of this node stands.
type progress struct {
	inputs  []slot // nil before the first, and once it runs
	missing int
	started bool
	done    bool
}

// slot holds one input of a stage.
type slot struct {
	args    []Arg
	arrived bool
}

func newExecution(self mesh.NodeID, s *spec) execution {
	return execution{self: self, spec: s, stages: make([]progress, len(s.stages)), left: s.stagesOn(self)}
}

// outputs are what is to be done after an input.
type outputs struct {
	invoke []int      // stages of this node that have all their inputs
	send   []delivery // results for other nodes
	sink   bool       // the result is for the coordinator
}

// delivery is a result on its way to a stage of another node.
type delivery struct {
	port
	node mesh.NodeID
}

// arrive takes an input. It reports whether the input is new, and whether
// the stage can start with it.
func (e *execution) arrive(p port, args []Arg) (fresh, ready bool) {
	if !e.expects(p) {
		return false, false
	}
	st, stage := &e.stages[p.stage], &e.spec.stages[p.stage]
	if st.inputs == nil {
		st.inputs, st.missing = make([]slot, len(stage.parents)+1), stage.inputs()
	}
	if st.inputs[p.input].arrived {
		return false, false
	}
	st.inputs[p.input] = slot{args, true}
	e.held += sizeOf(args)
	st.missing--
	return true, st.missing == 0
}

// expects reports whether the stage is this node's, has such an input, and waits.
func (e *execution) expects(p port) bool {
	if p.stage < 0 || p.stage >= len(e.stages) || e.spec.places[p.stage].Node != e.self || e.stages[p.stage].started {
		return false
	}
	stage := &e.spec.stages[p.stage]
	if p.input == 0 {
		return stage.hasArgs
	}
	return p.input > 0 && p.input <= len(stage.parents)
}

// start hands over the arguments of a stage that is ready: the call's own,
// then the parents' results in edge order, whatever the order of arrival.
func (e *execution) start(stage int) []Arg {
	st := &e.stages[stage]
	args := joined(st.inputs)
	e.held -= sizeOf(args)
	st.inputs, st.started = nil, true
	return args
}

// joined gives the arguments of all slots in order, without a copy where one
// slot has them all.
func joined(inputs []slot) []Arg {
	total, only := 0, 0
	for i := range inputs {
		if n := len(inputs[i].args); n > 0 {
			total, only = total+n, i
		}
	}
	if total == len(inputs[only].args) {
		return inputs[only].args
	}
	args := make([]Arg, 0, total)
	for i := range inputs {
		args = append(args, inputs[i].args...)
	}
	return args
}

// finish takes the result of a stage and passes it to the stages of this
// node that wait for it.
func (e *execution) finish(stage int, v mesh.Value, r report) outputs {
	if !e.close(stage) {
		return outputs{}
	}
	e.unsent = append(e.unsent, r)
	out := outputs{sink: e.spec.stages[stage].sink()}
	for _, child := range e.spec.stages[stage].children {
		node := e.spec.places[child.stage].Node
		if node != e.self {
			out.send = append(out.send, delivery{child, node})
			continue
		}
		if _, ready := e.arrive(child, []Arg{{Value: v}}); ready {
			out.invoke = append(out.invoke, child.stage)
		}
	}
	return out
}

// close notes that a stage has ended, with a result or an error.
func (e *execution) close(stage int) bool {
	st := &e.stages[stage]
	if !st.started || st.done {
		return false
	}
	st.done = true
	e.left--
	return true
}

// takeReports hands over the reports for a message to take along.
func (e *execution) takeReports() []report {
	reports := e.unsent
	e.unsent = nil
	return reports
}
