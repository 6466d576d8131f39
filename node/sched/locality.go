package sched

import (
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// staysHere reports whether the stage runs on the coordinator because there
// is nothing to gain elsewhere: neither its data nor a parent's result is
// there, the coordinator has room, and an instance, if anybody has.
func (p *planner) staysHere(i int) bool {
	s := &p.Stages[i]
	if p.Policy != Locality {
		return false
	}
	if _, pinned := p.Pins[s.Name]; pinned {
		return false
	}
	self := p.node(p.Self)
	if self == nil || !canRun(s, self) || self.Cooling || p.loadFor(s, self) > p.Weights.Busy {
		return false
	}
	for _, parent := range s.Parents {
		if p.placed[parent].Node != p.Self {
			return false
		}
	}
	return p.hasMost(s, self) && (p.isWarm(s, self) || !p.warmElsewhere(s))
}

// hasMost reports whether no node that can run the stage holds more bytes of what it reads.
func (p *planner) hasMost(s *Stage, self *Node) bool {
	if len(s.Refs) == 0 {
		return true
	}
	here := heldBytes(s, self)
	for n := range p.Nodes {
		if canRun(s, &p.Nodes[n]) && heldBytes(s, &p.Nodes[n]) > here {
			return false
		}
	}
	return true
}

func (p *planner) warmElsewhere(s *Stage) bool {
	for n := range p.Nodes {
		if funcs := p.Nodes[n].Funcs; len(funcs) > 0 && funcs[s.Func.Ref].Warm > 0 {
			return true
		}
	}
	return false
}

func heldBytes(s *Stage, n *Node) int64 {
	var sum int64
	for _, ref := range s.Refs {
		sum += n.Cached[ref]
	}
	return sum
}

// local picks the node where the stages cost least. A node that was busy
// lately is left alone, unless all are.
func (p *planner) local(members, able []int) Placement {
	if len(able) == 1 {
		return Placement{p.Nodes[able[0]].ID, "the only live node that can run it"}
	}
	rested := p.rested[:0]
	for _, n := range able {
		if !p.isBusy(members, &p.Nodes[n]) {
			rested = append(rested, n)
		}
	}
	if p.rested = rested; len(rested) == 0 {
		rested = able
	}
	costs, holders := p.costs[:0], p.holders(members)
	cheapest := 0
	for at, n := range rested {
		costs = append(costs, p.estimate(members, holders, &p.Nodes[n]))
		if costs[at].total() < costs[cheapest].total() {
			cheapest = at
		}
	}
	p.costs = costs
	if to := p.spread(members, rested, rested[cheapest]); to >= 0 {
		return Placement{p.Nodes[to].ID, "drawn at random: it spreads what is read, " + percent(p.Weights.RandomShare) + " of the calls"}
	}
	chosen := p.amongEquals(members, rested, costs, costs[cheapest].total())
	return Placement{p.Nodes[rested[chosen]].ID, p.why(members, able, rested, costs, chosen)}
}

// isBusy reports whether the node is to be left alone.
func (p *planner) isBusy(members []int, n *Node) bool {
	return n.Cooling || slices.ContainsFunc(members, func(i int) bool { return p.loadFor(&p.Stages[i], n) > p.Weights.Busy })
}

// spread draws a node for a share of the stages whose data lies at a node
// with load; -1 for the others.
func (p *planner) spread(members, able []int, best int) int {
	n := &p.Nodes[best]
	reads := slices.ContainsFunc(members, func(i int) bool { return heldBytes(&p.Stages[i], n) > 0 })
	if p.Rand == nil || !reads || n.Load < hotLoad*p.Weights.Busy || p.Rand.Float64() >= p.Weights.RandomShare {
		return -1
	}
	return able[p.Rand.IntN(len(able))]
}

// amongEquals picks one of those that cost hardly more than the least: one
// where a parent runs, as nothing is encoded there, else the coordinator, else
// one drawn by how much room they have.
func (p *planner) amongEquals(members, able []int, costs []estimate, least time.Duration) int {
	bound := least + max(least/20, slack)
	chosen, room, here := -1, 0.0, -1
	for at, n := range able {
		if costs[at].total() > bound {
			continue
		}
		node := &p.Nodes[n]
		switch {
		case p.hasParent(members, node.ID):
			return at
		case node.ID == p.Self:
			here = at
		case here < 0:
			chosen, room = p.roomier(members, able, chosen, at, room)
		}
	}
	if here >= 0 {
		return here
	}
	return chosen
}

// roomier draws between the chosen node, which stands for so much room, and
// another; without a source of chance it takes the one with more.
func (p *planner) roomier(members, able []int, chosen, other int, room float64) (int, float64) {
	free := max(1-p.loadFor(&p.Stages[members[0]], &p.Nodes[able[other]]), 0.01)
	room += free
	switch {
	case chosen < 0:
		return other, room
	case p.Rand == nil && free > max(1-p.loadFor(&p.Stages[members[0]], &p.Nodes[able[chosen]]), 0.01):
		return other, room
	case p.Rand != nil && p.Rand.Float64()*room < free:
		return other, room
	}
	return chosen, room
}

func (p *planner) hasParent(members []int, node mesh.NodeID) bool {
	for _, i := range members {
		for _, parent := range p.Stages[i].Parents {
			if p.placed[parent].Node == node {
				return true
			}
		}
	}
	return false
}

// slack is a difference in cost that is too small to go by.
const slack = 20 * time.Microsecond
