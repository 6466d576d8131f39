package run

import (
	"slices"

	"github.com/virga-mesh/virga/mesh"
)

// standing is where a stage stands, as its node tells the coordinator.
type standing struct {
	has  []bool // by input, whether it is there; nil: none
	done bool
	kept bool // the result is there to be sent again
}

// stand tells of the stages of this node that it has heard of, by stage.
func (e *execution) stand() map[int]standing {
	standings := map[int]standing{}
	for i := range e.stages {
		st := &e.stages[i]
		if e.spec.places[i].Node != e.self || st.inputs == nil && !st.done {
			continue
		}
		has := make([]bool, len(e.spec.stages[i].parents)+1)
		for n := range st.inputs {
			has[n] = st.inputs[n].arrived
		}
		standings[i] = standing{has: has, done: st.done, kept: st.kept}
	}
	return standings
}

// lose begins a survey, and notes nodes that the coordinator has given up.
// Nothing is taken from them any more, so that what is told of the stages
// here stays true.
func (e *execution) lose(nodes []mesh.NodeID) {
	e.surveyed = true
	for _, node := range nodes {
		if !slices.Contains(e.lost, node) {
			e.lost = append(e.lost, node)
		}
	}
}

// amend goes on under the plan of a later attempt: stages that are where they
// were keep what they have; those that were placed anew begin anew, and get
// the results that were kept for them.
func (e *execution) amend(next *spec) (out outputs) {
	earlier := e.spec
	e.spec, e.left, e.keeps, e.surveyed = next, 0, true, false
	for i := range e.stages {
		if !next.stays(earlier, i) {
			e.reset(&e.stages[i])
		}
		if next.places[i].Node == e.self && !e.stages[i].done {
			e.left++
		}
	}
	for i := range e.stages {
		for n, child := range next.stages[i].children {
			if st := &e.stages[i]; st.done && !next.stays(earlier, child.stage) {
				e.feedAgain(&out, i, n)
			}
		}
	}
	return out
}

// feedAgain hands a result that was kept to the ith child of its stage. One
// that ended since the last survey may not have been.
func (e *execution) feedAgain(out *outputs, stage, i int) {
	st := &e.stages[stage]
	if !st.kept {
		e.gone = e.spec.attempt
		return
	}
	e.feed(out, stage, i, st.result)
}

// reset forgets all of a stage.
func (e *execution) reset(st *progress) {
	e.release(st)
	if st.kept && !st.skipped {
		e.held -= keptSize(st.result)
	}
	*st = progress{}
}

// unreported lists the sinks of this node that ended without the coordinator
// having heard of it.
func (e *execution) unreported(reported []bool) (sinks []int) {
	for _, sink := range e.spec.sinks {
		if e.stages[sink].kept && !reported[sink] {
			sinks = append(sinks, sink)
		}
	}
	return sinks
}
