package sched

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/virga-mesh/virga/mesh"
)

// hosts reports whether a live node can run the function.
func hosts(s *Stage, node mesh.NodeID) bool {
	return s.Func.Kind.Anywhere() || slices.Contains(s.Func.Hosts, node)
}

// labelled reports whether a node has all labels that the stage asks for.
func labelled(s *Stage, n *Node) bool {
	for key, value := range s.Labels {
		if has, ok := n.Labels[key]; !ok || has != value {
			return false
		}
	}
	return true
}

// canRun reports whether a live node can, and may, run the stage.
func canRun(s *Stage, n *Node) bool { return hosts(s, n.ID) && labelled(s, n) }

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

// checkPin gives an error unless the node that the stage is pinned to lives,
// and can run it.
func (p *planner) checkPin(s *Stage, pin mesh.NodeID) error {
	n := p.node(pin)
	switch {
	case n == nil:
		return stageError(s, mesh.Unavailable, "pinned to node %s, which is not live", pin)
	case !hosts(s, pin):
		return stageError(s, mesh.Invalid, "pinned to node %s, which does not host %s function %s: expected one of %v",
			pin, s.Func.Kind, s.Func.Ref, s.Func.Hosts)
	case !labelled(s, n):
		return stageError(s, mesh.Invalid, "pinned to node %s, which is labelled %s: expected %s", pin, labelText(n.Labels), labelText(s.Labels))
	}
	return nil
}

// able lists the nodes that can run the stage.
func (p *planner) able(s *Stage) ([]int, error) {
	able := make([]int, 0, len(p.Nodes))
	hosted := 0
	for n := range p.Nodes {
		if !hosts(s, p.Nodes[n].ID) {
			continue
		}
		if hosted++; labelled(s, &p.Nodes[n]) {
			able = append(able, n)
		}
	}
	switch {
	case hosted == 0:
		return nil, stageError(s, mesh.Unavailable, "no live node hosts %s function %s: %s known", s.Func.Kind, s.Func.Ref, count(len(s.Func.Hosts), "host"))
	case len(able) == 0:
		return nil, stageError(s, mesh.Unavailable, "%s can run it: none is labelled %s (%s)", count(hosted, "live node"), labelText(s.Labels), p.labelCounts(s))
	}
	return able, nil
}

// labelCounts tells of how many nodes that can run the stage have each of its labels.
func (p *planner) labelCounts(s *Stage) string {
	var counts []string
	for _, key := range slices.Sorted(maps.Keys(s.Labels)) {
		one := Stage{Func: s.Func, Labels: map[string]string{key: s.Labels[key]}}
		have := 0
		for n := range p.Nodes {
			if canRun(&one, &p.Nodes[n]) {
				have++
			}
		}
		counts = append(counts, strconv.Itoa(have)+" with "+labelText(one.Labels))
	}
	return strings.Join(counts, ", ")
}

// labelText writes labels as "a=1, b=2".
func labelText(labels map[string]string) string {
	if len(labels) == 0 {
		return "nothing"
	}
	words := make([]string, 0, len(labels))
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		words = append(words, key+"="+labels[key])
	}
	return strings.Join(words, ", ")
}

func stageError(s *Stage, kind mesh.ErrorKind, format string, args ...any) error {
	e := mesh.Errorf(kind, "plan", format, args...)
	e.Stage = s.Name
	return e
}
