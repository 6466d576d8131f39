package run

import "slices"

// slot holds one input of a stage.
type slot struct {
	args    []Arg // until the stage starts
	arrived bool
	absent  bool // the edge is not taken
	begun   bool // of an any-of stage: it runs with it, or has
}

// input is what comes to a port.
type input struct {
	args   []Arg
	absent bool // the edge is not taken
	moved  bool // it came from another node
}

// noneTaken reports whether the stage has parents, and no edge from one is taken.
func (st *progress) noneTaken() bool {
	parents := st.inputs[1:]
	return len(parents) > 0 && !slices.ContainsFunc(parents, func(s slot) bool { return !s.absent })
}

// release lets go of the inputs that a stage holds.
func (e *execution) release(st *progress) {
	for i := range st.inputs {
		e.held -= sizeOf(st.inputs[i].args)
		st.inputs[i].args = nil
	}
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
