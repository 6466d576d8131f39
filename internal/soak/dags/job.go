package dags

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// mostStages of a DAG, and of one whose runs are short.
const (
	mostStages      = 20
	mostQuickStages = 5
)

// job is a DAG with its arguments.
type job struct {
	number int
	dag    *mesh.DAG
	args   map[string][]string
	quick  bool // its stages take no time
}

// randomJob draws a DAG whose stages are not declared in the order in which
// they run. One in three edges has a condition, one in five stages with
// parents takes any of their results.
func randomJob(chance *rand.Rand, number, most int) job {
	n := 1 + chance.IntN(most)
	dag := &mesh.DAG{Namespace: mesh.DefaultNamespace, Name: fmt.Sprint("d", number)}
	j := job{number: number, dag: dag, args: map[string][]string{}}
	for i := range n {
		stage := fmt.Sprintf("s%d", i)
		j.dag.Stages = append(j.dag.Stages, mesh.Stage{Name: stage, Func: mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: plain}})
		if chance.IntN(2) == 0 {
			j.args[stage] = []string{fmt.Sprint(chance.IntN(100))}
		}
	}
	order := chance.Perm(n)
	for to := range n {
		for from := range to {
			if chance.IntN(2+n/3) == 0 {
				j.dag.Edges = append(j.dag.Edges, randomEdge(chance, order[from], order[to]))
			}
		}
	}
	chance.Shuffle(len(j.dag.Edges), func(a, b int) { j.dag.Edges[a], j.dag.Edges[b] = j.dag.Edges[b], j.dag.Edges[a] })
	for i := range j.dag.Stages {
		if s := &j.dag.Stages[i]; len(j.dag.Parents(s.Name)) > 0 && chance.IntN(5) == 0 {
			s.Func.Name, s.Any = anyOf, &mesh.AnyOf{Invalid: []mesh.Value{{Format: mesh.Text, Data: []byte(nothing)}}}
		}
	}
	return j
}

func randomEdge(chance *rand.Rand, from, to int) mesh.Edge {
	e := mesh.Edge{From: fmt.Sprintf("s%d", from), To: fmt.Sprintf("s%d", to)}
	if chance.IntN(3) == 0 {
		e.When = mesh.Condition{Path: ".", Op: mesh.Greater, JSON: fmt.Sprintf("%q", "26"[chance.IntN(2):][:1])}
	}
	return e
}

// sdkArgs are the call's own arguments. Stages that read state get the call's
// number before them.
func (j job) sdkArgs(call int) sdk.Args {
	args := sdk.Args{}
	if j.reads() {
		for _, stage := range j.dag.Stages {
			args[stage.Name] = []any{fmt.Sprint(call)}
		}
	}
	for stage, list := range j.args {
		for _, arg := range list {
			args[stage] = append(args[stage], arg)
		}
	}
	return args
}

// The functions of stages, and what any-of stages take for none.
const (
	plain   = "plain"
	anyOf   = "any-of"
	nothing = "nothing"
)

var errBoom = errors.New("boom")

// digest stands for what a stage computes from its arguments.
func digest(stage string, args []string) string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s%q", stage, args)
	return fmt.Sprintf("%016x", h.Sum64()*0x9E3779B97F4A7C15) // all digits alike
}

// computed is the result of a stage: of any-of stages the same for whatever
// valid result it runs with, so that it does not matter which comes first.
func computed(stage string, isAny bool, args []string) (string, error) {
	if !isAny {
		return digest(stage, args), nil
	}
	last := len(args) - 1
	switch with := digest(stage, args[last:]); {
	case with < "3":
		return nothing, nil
	case with < "4":
		return "", errBoom
	}
	return digest(stage, args[:last]), nil
}

// outcome is what a stage comes to.
type outcome struct {
	value           string
	skipped, failed bool
}

// expectation is what a call may come to.
type expectation struct {
	results           map[string]string // of the sinks that are not skipped
	mayFail, mustFail bool              // with a UserError
}

// expected evaluates the job.
func (j job) expected() expectation {
	known := map[string]outcome{}
	var eval func(stage string) outcome
	eval = func(stage string) outcome {
		if _, ok := known[stage]; !ok {
			known[stage] = j.outcome(stage, eval)
		}
		return known[stage]
	}
	e := expectation{results: map[string]string{}}
	for _, s := range j.dag.Stages {
		e.mayFail = eval(s.Name).failed || e.mayFail
	}
	for _, sink := range j.dag.Sinks() {
		name := j.dag.Stages[sink].Name
		if o := known[name]; !o.skipped {
			e.results[name] = o.value
		}
		e.mustFail = e.mustFail || known[name].failed
	}
	return e
}

func (j job) outcome(stage string, eval func(string) outcome) outcome {
	args := j.args[stage][:len(j.args[stage]):len(j.args[stage])]
	parents, failed := 0, false
	var taken []string
	for _, e := range j.dag.Edges {
		if e.To != stage {
			continue
		}
		parents++
		switch from := eval(e.From); {
		case from.failed:
			failed = true
		case !from.skipped && (e.When.IsZero() || from.value > strings.Trim(e.When.JSON, `"`)):
			taken = append(taken, from.value)
		}
	}
	switch {
	case j.dag.Stages[j.dag.Stage(stage)].Any != nil:
		for _, v := range taken {
			if got, err := computed(stage, true, append(args, v)); err == nil && got != nothing {
				return outcome{value: got}
			}
		}
		return outcome{skipped: len(taken) == 0 && !failed, failed: len(taken) > 0 || failed}
	case failed:
		return outcome{failed: true}
	case parents > 0 && len(taken) == 0:
		return outcome{skipped: true}
	}
	got, _ := computed(stage, false, append(args, taken...))
	return outcome{value: got}
}

// wrong says what is wrong with an answer; empty: nothing. Excused are errors
// that faults explain.
func (e expectation) wrong(ctx context.Context, results sdk.Results, err error, excused bool) string {
	switch {
	case errors.Is(err, mesh.UserError) && e.mayFail:
		return ""
	case err != nil && ctx.Err() != nil:
		return fmt.Sprintf("had no end by its deadline: %v", err)
	case err != nil && excused:
		return ""
	case err != nil:
		return fmt.Sprintf("failed: %v", err)
	case e.mustFail:
		return fmt.Sprintf("gave %d results: expected to fail", len(results))
	case len(results) != len(e.results):
		return fmt.Sprintf("gave %d results: expected %d", len(results), len(e.results))
	}
	for _, r := range results {
		if want, ok := e.results[r.Stage]; !ok || string(r.Value.Data) != want {
			return fmt.Sprintf("gave %s for stage %s: expected %s", r.Value.Data, r.Stage, want)
		}
	}
	return ""
}
