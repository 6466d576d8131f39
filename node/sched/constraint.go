package sched

import (
	"slices"

	"github.com/virga-mesh/virga/mesh"
)

// canRun reports whether a live node can run the stage.
func canRun(s *Stage, node mesh.NodeID) bool {
	return s.Func.Kind.Anywhere() || slices.Contains(s.Func.Hosts, node)
}

func (p *planner) node(id mesh.NodeID) *Node {
	for n := range p.Nodes {
		if p.Nodes[n].ID == id {
			return &p.Nodes[n]
		}
	}
	return nil
}

func (p *planner) validatePins() error {
	for stage := range p.Pins {
		declared := slices.ContainsFunc(p.Stages, func(s Stage) bool { return s.Name == stage })
		if !declared {
			return mesh.Errorf(mesh.Invalid, "plan", "place names stage %q, which is not declared", stage)
		}
	}
	return nil
}

func (p *planner) pinned(s *Stage, pin mesh.NodeID) (Placement, error) {
	if p.node(pin) == nil {
		return Placement{}, stageError(s, mesh.Unavailable, "pinned to node %s, which is not live", pin)
	}
	if !canRun(s, pin) {
		return Placement{}, stageError(s, mesh.Invalid, "pinned to node %s, which does not host %s function %s: expected one of %v",
			pin, s.Func.Kind, s.Func.Ref, s.Func.Hosts)
	}
	return Placement{pin, "pinned by the caller"}, nil
}

func noHost(s *Stage) error {
	return stageError(s, mesh.Unavailable, "no live node hosts %s function %s: %s known", s.Func.Kind, s.Func.Ref, count(len(s.Func.Hosts), "host"))
}

func stageError(s *Stage, kind mesh.ErrorKind, format string, args ...any) error {
	e := mesh.Errorf(kind, "plan", format, args...)
	e.Stage = s.Name
	return e
}

// topological orders the stages so that parents come first; nil means that
// they already do.
func topological(stages []Stage) ([]int, error) {
	sorted := true
	for i, s := range stages {
		for _, parent := range s.Parents {
			if parent < 0 || parent >= len(stages) {
				return nil, stageError(&stages[i], mesh.Invalid, "parent %d: expected 0 to %d", parent, len(stages)-1)
			}
			sorted = sorted && parent < i
		}
	}
	if sorted {
		return nil, nil
	}
	return peel(stages)
}

// peel takes off stages whose parents are all taken (Kahn).
func peel(stages []Stage) ([]int, error) {
	children := make([][]int, len(stages))
	waiting := make([]int, len(stages))
	order := make([]int, 0, len(stages))
	for i, s := range stages {
		for _, parent := range s.Parents {
			children[parent] = append(children[parent], i)
		}
		if waiting[i] = len(s.Parents); waiting[i] == 0 {
			order = append(order, i)
		}
	}
	for next := 0; next < len(order); next++ {
		for _, child := range children[order[next]] {
			if waiting[child]--; waiting[child] == 0 {
				order = append(order, child)
			}
		}
	}
	if len(order) < len(stages) {
		return nil, mesh.Errorf(mesh.Invalid, "plan", "the stages form a cycle: expected every stage to come after its parents")
	}
	return order, nil
}
