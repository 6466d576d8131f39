package sched

import (
	"strconv"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// why says by what the chosen node is better than the coordinator or, where
// that cannot run it or is busy, than the next best.
func (p *planner) why(members, able, rested []int, costs []estimate, chosen int) string {
	if p.Nodes[rested[chosen]].ID == p.Self {
		return "on the coordinator: no other node is better"
	}
	against, than := -1, "on the coordinator"
	for at, n := range rested {
		if p.Nodes[n].ID == p.Self {
			against = at
		}
	}
	if against < 0 {
		against, than = nextBest(costs, chosen), "on the next best node"
	}
	if against < 0 {
		return "the only node that is not busy, of " + count(len(able), "node") + " that can run it"
	}
	a, b := costs[chosen], costs[against]
	saved := b.total() - a.total()
	if saved <= max(a.total()/20, slack) {
		if p.hasParent(members, p.Nodes[rested[chosen]].ID) {
			return p.besides(members, p.Nodes[rested[chosen]].ID) + ": no other node is better"
		}
		if len(rested) < len(able) {
			return "it has room: " + count(len(able)-len(rested), "node") + " that can run it " + isAre(len(able)-len(rested)) + " busy"
		}
		return "one of several nodes that are as good, by their room"
	}
	return p.reason(members, p.Nodes[rested[chosen]].ID, a, b) + ": about " + short(a.total()) + ", " + short(saved) + " less than " + than
}

func nextBest(costs []estimate, chosen int) int {
	best := -1
	for at := range costs {
		if at != chosen && (best < 0 || costs[at].total() < costs[best].total()) {
			best = at
		}
	}
	return best
}

// reason names what saves most.
func (p *planner) reason(members []int, node mesh.NodeID, a, b estimate) string {
	saves := []struct {
		by   time.Duration
		what string
	}{
		{b.data - a.data, "holds " + count(int(a.held), "byte") + " of what it reads"},
		{b.input - a.input, p.besides(members, node)},
		{b.start - a.start, "has a warm instance"},
		{b.wait - a.wait, "has a place free"},
	}
	best := saves[0]
	for _, s := range saves[1:] {
		if s.by > best.by {
			best = s
		}
	}
	return best.what
}

func (p *planner) besides(members []int, node mesh.NodeID) string {
	for _, i := range members {
		for _, parent := range p.Stages[i].Parents {
			if p.placed[parent].Node == node {
				return "beside its parent " + p.Stages[parent].Name
			}
		}
	}
	return "is nearer"
}

// short writes a duration with three digits or so.
func short(d time.Duration) string {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func percent(share float64) string { return strconv.Itoa(int(100*share+0.5)) + " %" }
