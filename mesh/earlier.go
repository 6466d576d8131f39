package mesh

import (
	"maps"
	"slices"
	"strings"
)

// Earlier lists by name, sorted, the stages that are sure to have ended when a
// stage runs, by whichever way its arguments come. A stage that takes any of its
// parents' results is named as it is executed, "stage<parent", or "stage": then what
// comes before each of its executions. It is not among those that are sure to
// come before another, since that one may go on while others of its executions last.
func (d *DAG) Earlier(stage string) []string {
	e := earlier{dag: d, known: map[string]map[string]bool{}}
	name, parent, branch := strings.Cut(stage, "<")
	if !branch {
		return slices.Sorted(maps.Keys(e.of(name)))
	}
	return slices.Sorted(maps.Keys(e.through(parent)))
}

// earlier works out what comes before stages, each once.
type earlier struct {
	dag   *DAG
	known map[string]map[string]bool
}

func (e *earlier) of(stage string) map[string]bool {
	if sure, ok := e.known[stage]; ok {
		return sure
	}
	e.known[stage] = nil // of a cycle
	parents, at := e.dag.Parents(stage), e.dag.Stage(stage)
	ways := map[string]int{}
	for _, p := range parents {
		if p < 0 {
			continue // undeclared
		}
		for name := range e.through(e.dag.Stages[p].Name) {
			ways[name]++
		}
	}
	sure := map[string]bool{}
	for name, n := range ways {
		if n == len(parents) || e.dag.Stages[at].Any == nil {
			sure[name] = true
		}
	}
	e.known[stage] = sure
	return sure
}

// through gives what comes before those that get a stage's result.
func (e *earlier) through(stage string) map[string]bool {
	sure := maps.Clone(e.of(stage))
	if sure == nil {
		sure = map[string]bool{}
	}
	if at := e.dag.Stage(stage); at >= 0 && e.dag.Stages[at].Any == nil {
		sure[stage] = true
	}
	return sure
}
