package sched

import (
	"slices"

	"github.com/virga-mesh/virga/mesh"
)

// group lists the stages that have to be on one node with the ith: those of
// its colocation group, in order, or itself alone.
func (p *planner) group(i int) []int {
	name := p.Stages[i].Colocate
	if name == "" {
		return []int{i}
	}
	var members []int
	for at := range p.Stages {
		if p.Stages[at].Colocate == name {
			members = append(members, at)
		}
	}
	return members
}

// placeGroup places the stages of a colocation group on one node.
func (p *planner) placeGroup(members []int) error {
	able, to, err := p.ableForAll(members)
	if err != nil {
		return err
	}
	chosen := Placement{to.node, to.why}
	if to.node == "" {
		chosen = p.choose(members, able)
	}
	if len(members) > 1 {
		chosen.Why = "with group " + p.Stages[members[0]].Colocate + ": " + chosen.Why
	}
	for _, i := range members {
		if p.placed[i].Node == "" {
			p.placed[i] = chosen
		}
	}
	return nil
}

// bound is the node on which a stage has to be; the zero value: on none.
type bound struct {
	node  mesh.NodeID
	stage string
	why   string
	kind  mesh.ErrorKind // of the error where that cannot be
	is    string         // "pinned to" the node, or "on" it
}

// boundTo gives the node to which a stage is bound.
func (p *planner) boundTo(s *Stage) (bound, error) {
	if s.At != "" {
		return bound{s.At, s.Name, "its other stages are there", mesh.Unavailable, "on"}, nil
	}
	if pin, ok := p.Pins[s.Name]; ok {
		return bound{pin, s.Name, "pinned by the caller", mesh.Invalid, "pinned to"}, p.checkPin(s, pin)
	}
	return bound{}, nil
}

// ableForAll lists the nodes that can run every one of the stages that are to
// be placed, and the one that the stages are bound to, if they are.
func (p *planner) ableForAll(members []int) (able []int, to bound, err error) {
	for _, i := range members {
		s := &p.Stages[i]
		own, err := p.boundTo(s)
		switch {
		case err != nil:
			return nil, bound{}, err
		case own.node == "":
		case to.node != "" && own.node != to.node:
			return nil, bound{}, stageError(s, own.kind, "%s node %s, and stage %s of the same colocation group %s %s node %s: expected one node", own.is, own.node, to.stage, s.Colocate, to.is, to.node)
		default:
			to = own
		}
		if s.At != "" {
			continue
		}
		if able, err = p.narrow(able, s); err != nil {
			return nil, bound{}, err
		}
	}
	if to.node == "" || slices.ContainsFunc(able, func(n int) bool { return p.Nodes[n].ID == to.node }) {
		return able, to, nil
	}
	return nil, bound{}, mesh.Errorf(to.kind, "plan", "stage %s is %s node %s, which cannot run all stages of its colocation group %s", to.stage, to.is, to.node, p.Stages[members[0]].Colocate)
}

// narrow drops the nodes that cannot run s, too; nil stands for all nodes.
func (p *planner) narrow(able []int, s *Stage) ([]int, error) {
	can, err := p.able(s)
	if err != nil || able == nil {
		return can, err
	}
	both := slices.DeleteFunc(slices.Clone(able), func(n int) bool { return !slices.Contains(can, n) })
	if len(both) == 0 {
		return nil, stageError(s, mesh.Unavailable, "%s can run it: none can run the other stages of its colocation group %s, too", count(len(can), "live node"), s.Colocate)
	}
	return both, nil
}
