package mesh

import "strings"

// Bounds of DAGs.
const (
	MaxStages = 1024
	MaxEdges  = 8192
)

// Stage is a named node of a DAG. Two stages may use one function.
type Stage struct {
	Name string
	Func FuncRef
	StageOptions
}

// Edge hands the result of one stage to another as an argument.
type Edge struct {
	From, To string
	// When says for which results the edge is taken: zero, for all. A stage of
	// whose edges none is taken does not run, nor are the edges that leave it
	// taken; one of whose edges some are taken gets the results of those.
	When Condition
}

// DAG composes functions. A stage receives the call's own arguments for it
// first, then its parents' results in the order of Edges.
type DAG struct {
	Namespace string
	Name      string
	Stages    []Stage
	Edges     []Edge
	// Consistency is what each of its runs may rely on; one that asks for more gets that.
	Consistency Consistency
}

// Stage finds a stage by name: its index, or -1.
func (d *DAG) Stage(name string) int {
	for i := range d.Stages {
		if d.Stages[i].Name == name {
			return i
		}
	}
	return -1
}

// Validate gives an Invalid error that names the first thing wrong: nothing
// to run, a bad or duplicate name, an edge of an undeclared stage, a
// duplicate edge, a cycle (spelled out). Whether the functions exist is not
// known here.
func (d *DAG) Validate() error {
	if err := ValidateNamespace(d.Namespace); err != nil {
		return err
	}
	if err := validateIdentifier("dag", d.Name); err != nil {
		return err
	}
	if err := d.Consistency.Validate(); err != nil {
		return d.invalid("has %s", AsError("", err).Text())
	}
	if len(d.Stages) == 0 {
		return d.invalid("has no stages: expected at least one")
	}
	if len(d.Stages) > MaxStages || len(d.Edges) > MaxEdges {
		return d.invalid("has %d stages and %d edges: expected at most %d and %d", len(d.Stages), len(d.Edges), MaxStages, MaxEdges)
	}
	if err := d.validateStages(); err != nil {
		return err
	}
	if err := d.validateEdges(); err != nil {
		return err
	}
	if cycle := d.cycle(); cycle != nil {
		return d.invalid("has the cycle %s", strings.Join(cycle, " -> "))
	}
	return nil
}

func (d *DAG) invalid(format string, args ...any) error {
	return Errorf(Invalid, "dag "+d.Name, format, args...)
}

func (d *DAG) validateStages() error {
	seen := make(map[string]bool, len(d.Stages))
	for _, s := range d.Stages {
		if err := validateIdentifier("stage", s.Name); err != nil {
			return err
		}
		if err := s.Func.Validate(); err != nil {
			return err
		}
		if err := s.StageOptions.Validate(s.Name); err != nil {
			return err
		}
		if seen[s.Name] {
			return d.invalid("declares stage %q twice", s.Name)
		}
		seen[s.Name] = true
	}
	return nil
}

func (d *DAG) validateEdges() error {
	stages := make(map[string]bool, len(d.Stages))
	fed := make(map[string]bool, len(d.Stages))
	for _, s := range d.Stages {
		stages[s.Name] = true
	}
	seen := make(map[[2]string]bool, len(d.Edges))
	for _, e := range d.Edges {
		for _, end := range []string{e.From, e.To} {
			if !stages[end] {
				return d.invalid("edge %s:%s names stage %q, which is not declared", e.From, e.To, end)
			}
		}
		if seen[[2]string{e.From, e.To}] {
			return d.invalid("declares edge %s:%s twice", e.From, e.To)
		}
		seen[[2]string{e.From, e.To}], fed[e.To] = true, true
		if err := e.When.Validate(); err != nil {
			return AsError("dag "+d.Name, err)
		}
	}
	for _, s := range d.Stages {
		if s.Any != nil && !fed[s.Name] {
			return d.invalid("stage %q takes any of its parents' results and has no parents", s.Name)
		}
	}
	return nil
}

// cycle gives the stages of one cycle, the first again at the end, or nil.
// It peels off stages without parents (Kahn); what remains leads to a cycle
// when followed backwards.
func (d *DAG) cycle() []string {
	parents := make(map[string][]string, len(d.Stages))
	children := make(map[string][]string, len(d.Stages))
	waiting := make(map[string]int, len(d.Stages))
	for _, e := range d.Edges {
		parents[e.To] = append(parents[e.To], e.From)
		children[e.From] = append(children[e.From], e.To)
		waiting[e.To]++
	}
	var ready []string
	for _, s := range d.Stages {
		if waiting[s.Name] == 0 {
			ready = append(ready, s.Name)
		}
	}
	left := len(d.Stages)
	for ; len(ready) > 0; left-- {
		stage := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		for _, child := range children[stage] {
			if waiting[child]--; waiting[child] == 0 {
				ready = append(ready, child)
			}
		}
	}
	if left == 0 {
		return nil
	}
	return d.traceCycle(parents, waiting)
}

func (d *DAG) traceCycle(parents map[string][]string, waiting map[string]int) []string {
	var at string
	for _, s := range d.Stages {
		if waiting[s.Name] > 0 {
			at = s.Name
			break
		}
	}
	position := map[string]int{}
	var path []string
	for {
		if start, seen := position[at]; seen {
			return forwards(path[start:])
		}
		position[at] = len(path)
		path = append(path, at)
		for _, p := range parents[at] {
			if waiting[p] > 0 {
				at = p
				break
			}
		}
	}
}

// forwards turns a cycle followed against its edges into the order of its
// edges, closed by its first stage.
func forwards(backwards []string) []string {
	cycle := make([]string, 0, len(backwards)+1)
	cycle = append(cycle, backwards[0])
	for i := len(backwards) - 1; i >= 0; i-- {
		cycle = append(cycle, backwards[i])
	}
	return cycle
}

// Parents lists the stages whose results the stage receives, in edge order, as indices.
func (d *DAG) Parents(stage string) []int {
	var parents []int
	for _, e := range d.Edges {
		if e.To == stage {
			parents = append(parents, d.Stage(e.From))
		}
	}
	return parents
}

// Sinks lists the stages without children, in declaration order, as indices.
func (d *DAG) Sinks() []int {
	inner := make(map[string]bool, len(d.Edges))
	for _, e := range d.Edges {
		inner[e.From] = true
	}
	var sinks []int
	for i, s := range d.Stages {
		if !inner[s.Name] {
			sinks = append(sinks, i)
		}
	}
	return sinks
}
