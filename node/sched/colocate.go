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
	able, pinned, err := p.ableForAll(members)
	if err != nil {
		return err
	}
	chosen := Placement{Why: "pinned by the caller"}
	if pinned != "" {
		chosen.Node = pinned
	} else {
		chosen = p.choose(members, able)
	}
	if len(members) > 1 {
		chosen.Why = "with group " + p.Stages[members[0]].Colocate + ": " + chosen.Why
	}
	for _, i := range members {
		p.placed[i] = chosen
	}
	return nil
}

// ableForAll lists the nodes that can run every one of the stages, and the one that
// they are pinned to, if they are.
func (p *planner) ableForAll(members []int) (able []int, pinned mesh.NodeID, err error) {
	by := ""
	for _, i := range members {
		s := &p.Stages[i]
		if pin, ok := p.Pins[s.Name]; ok {
			if err := p.checkPin(s, pin); err != nil {
				return nil, "", err
			}
			if pinned != "" && pin != pinned {
				return nil, "", stageError(s, mesh.Invalid, "pinned to node %s, and stage %s of the same colocation group %s to node %s: expected one node", pin, by, s.Colocate, pinned)
			}
			pinned, by = pin, s.Name
		}
		able, err = p.narrow(able, s, members[0] == i)
		if err != nil {
			return nil, "", err
		}
	}
	if pinned == "" || slices.ContainsFunc(able, func(n int) bool { return p.Nodes[n].ID == pinned }) {
		return able, pinned, nil
	}
	return nil, "", mesh.Errorf(mesh.Invalid, "plan", "stage %s is pinned to node %s, which cannot run all stages of its colocation group %s", by, pinned, p.Stages[members[0]].Colocate)
}

// narrow drops the nodes that cannot run s, too.
func (p *planner) narrow(able []int, s *Stage, first bool) ([]int, error) {
	can, err := p.able(s)
	if err != nil || first {
		return can, err
	}
	both := slices.DeleteFunc(slices.Clone(able), func(n int) bool { return !slices.Contains(can, n) })
	if len(both) == 0 {
		return nil, stageError(s, mesh.Unavailable, "%s can run it: none can run the other stages of its colocation group %s, too", count(len(can), "live node"), s.Colocate)
	}
	return both, nil
}
