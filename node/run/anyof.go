package run

import (
	"bytes"
	"context"
	"slices"

	"github.com/virga-mesh/virga/mesh"
)

// An any-of stage runs for each of its parents' results alone, as they come.
// It ends with the first valid result; or it fails, when all edges that lead
// to it have been settled and nothing valid has come; or it is skipped, when
// none of them is taken.

// readyAny adds the tasks that can start by an input: one for each result
// that has come, once the call's own arguments are there; or, where nothing
// runs and nothing more can come, one that ends the stage.
func (st *progress) readyAny(p port, hasArgs bool, ready []task) []task {
	if hasArgs && !st.inputs[0].arrived {
		return ready
	}
	for n := 1; n < len(st.inputs); n++ {
		if in := &st.inputs[n]; in.arrived && !in.absent && !in.begun && (p.input == 0 || p.input == n) {
			in.begun = true
			st.tries++
			ready = append(ready, task{p.stage, n})
		}
	}
	if st.missing == 0 && st.tries == 0 {
		ready = append(ready, task{stage: p.stage})
	}
	return ready
}

// startAny begins a task of an any-of stage.
func (e *execution) startAny(t task) begun {
	st := &e.stages[t.stage]
	if t.parent == 0 {
		st.started = true
		if st.noneTaken() {
			return begun{verdict: skip, spec: e.spec}
		}
		return begun{verdict: refute, spec: e.spec, err: e.refutation(t.stage)}
	}
	in := &st.inputs[t.parent]
	if !in.begun {
		return begun{}
	}
	st.started = true
	args := slices.Concat(st.inputs[0].args, in.args)
	e.held -= sizeOf(in.args)
	in.args = nil
	return begun{verdict: invoke, args: args, spec: e.spec}
}

// reject takes a result of an any-of stage that is not valid, or an error,
// which counts as one. It gives the stage's error when that was the last
// that could come.
func (e *execution) reject(t task, under *spec, err error) error {
	st := &e.stages[t.stage]
	if st.done || !e.spec.stays(under, t.stage) {
		return nil
	}
	st.tries--
	if err != nil && st.branched().failure == nil {
		st.branch.failure = err
	}
	if st.missing > 0 || st.tries > 0 {
		return nil
	}
	return e.refutation(t.stage)
}

// refutation is why a stage that got nothing valid fails.
func (e *execution) refutation(stage int) error {
	st := &e.stages[stage]
	came := 0
	for _, in := range st.inputs[1:] {
		if in.begun {
			came++
		}
	}
	if st.branch != nil && st.branch.failure != nil {
		first := st.branch.failure
		return mesh.Errorf(mesh.KindOf(first), "", "none of %d results that it takes any of was valid: %w", came, first)
	}
	return mesh.Errorf(mesh.UserError, "", "none of %d results that it takes any of was valid", came)
}

// rejects reports whether a result of the stage is one of those to be dropped.
func (s *stage) rejects(v mesh.Value) bool {
	return s.anyOf() && slices.ContainsFunc(s.options.Any.Invalid, func(invalid mesh.Value) bool {
		return invalid.Format == v.Format && bytes.Equal(invalid.Data, v.Data)
	})
}

// branchKey finds the branch of a context.
type branchKey struct{}

// withBranch marks a context with the parent for whose result alone a stage
// runs: several executions of one stage may be under way on one node.
func withBranch(ctx context.Context, parent string) context.Context {
	return context.WithValue(ctx, branchKey{}, parent)
}

// invocationName names an execution of a stage in its invocation's id.
func (s *stage) invocationName(ctx context.Context) string {
	if !s.anyOf() {
		return s.name
	}
	parent, _ := ctx.Value(branchKey{}).(string)
	return s.name + "<" + parent
}
