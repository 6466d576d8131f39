package sched

import (
	"time"
)

// estimate is what running stages on a node costs beside the work itself.
type estimate struct {
	data  time.Duration // to fetch what they read
	input time.Duration // for arguments and results of parents to arrive, and results to leave
	start time.Duration // of instances that are not ready
	wait  time.Duration // for a place
	held  int64         // bytes of what they read that the node holds
}

func (e estimate) total() time.Duration { return e.data + e.input + e.start + e.wait }

// estimate adds up what the stages cost on a node.
func (p *planner) estimate(members []int, holders []time.Duration, n *Node) (sum estimate) {
	for _, i := range members {
		s := &p.Stages[i]
		data, held := p.dataCost(s, holders[:len(s.Refs)], n)
		holders = holders[len(s.Refs):]
		sum.data += data
		sum.held += held
		sum.input += p.inputCost(i, n, members)
		sum.start += p.startCost(s, n)
		sum.wait = max(sum.wait, p.waitCost(s, n))
	}
	return sum
}

// dataCost is what fetching what the node lacks of the stage's references
// takes: one round trip, as they are fetched at once, and the bytes.
func (p *planner) dataCost(s *Stage, holders []time.Duration, n *Node) (cost time.Duration, held int64) {
	var far time.Duration
	var bytes int64
	for at, ref := range s.Refs {
		if has, ok := n.Cached[ref]; ok {
			held += has
			continue
		}
		bytes += max(1, p.Sizes[ref])
		if holders[at] < 0 {
			far = max(far, unknownRTT)
		} else {
			far = max(far, p.fromSelf(n), holders[at])
		}
	}
	return far + p.transfer(bytes), held
}

// holders gives, for each reference of the stages, the round trip from the
// coordinator to the closest node that holds it; -1 where none does.
func (p *planner) holders(members []int) []time.Duration {
	p.near = p.near[:0]
	for _, i := range members {
		for _, ref := range p.Stages[i].Refs {
			best := time.Duration(-1)
			for at := range p.Nodes {
				if _, ok := p.Nodes[at].Cached[ref]; ok && (best < 0 || p.fromSelf(&p.Nodes[at]) < best) {
					best = p.fromSelf(&p.Nodes[at])
				}
			}
			p.near = append(p.near, best)
		}
	}
	return p.near
}

// inputCost is what it takes until the stage's inputs are there, and its
// result with the coordinator, if it goes there next.
func (p *planner) inputCost(i int, n *Node, members []int) time.Duration {
	s := &p.Stages[i]
	var far time.Duration
	var bytes int64
	if len(s.Parents) == 0 {
		far = p.fromSelf(n)
	}
	for _, parent := range s.Parents {
		at := p.placed[parent].Node
		if at == "" || at == n.ID { // not placed yet: of the same group
			continue
		}
		bytes += p.Costs[p.Stages[parent].Func.Ref].ResultBytes
		if from := p.node(at); from != nil {
			far = max(far, p.roundTrip(from, n))
		} else {
			far = max(far, unknownRTT)
		}
	}
	cost := far/2 + p.transfer(bytes)
	if p.isSink(i) {
		cost += p.fromSelf(n) / 2
	}
	return cost
}

// startCost is a stage's part of a cold start.
func (p *planner) startCost(s *Stage, n *Node) time.Duration {
	if p.isWarm(s, n) {
		return 0
	}
	cost := p.Costs[s.Func.Ref]
	cold := cost.Cold
	if cold == 0 {
		cold = unknownCold
	}
	return time.Duration(float64(cold) / max(1, cost.Rate*coldHorizon.Seconds()))
}

// waitCost is how long the stage waits for its place.
func (p *planner) waitCost(s *Stage, n *Node) time.Duration {
	mean := p.Costs[s.Func.Ref].Mean
	if mean == 0 {
		mean = unknownMean
	}
	var rounds float64
	if n.Places > 0 && (n.Waiting > 0 || n.Load >= 1) {
		rounds = float64(n.Waiting+1) / float64(n.Places)
	}
	if f := p.at(s, n); f.Limit > 0 && f.Busy >= f.Limit {
		rounds = max(rounds, float64(f.Busy-f.Limit+1)/float64(f.Limit))
	}
	return time.Duration(rounds * float64(mean))
}

func (p *planner) transfer(bytes int64) time.Duration {
	return time.Duration(float64(bytes) / p.Weights.Bandwidth * float64(time.Second))
}

// roundTrip is known between the coordinator and others; between two others
// it is taken for the longer of theirs.
func (p *planner) roundTrip(a, b *Node) time.Duration {
	if a.ID == b.ID {
		return 0
	}
	return max(p.fromSelf(a), p.fromSelf(b))
}

func (p *planner) fromSelf(n *Node) time.Duration {
	switch {
	case n.ID == p.Self:
		return 0
	case n.RTT == 0:
		return unknownRTT
	}
	return n.RTT
}

// isSink reports whether no stage takes the result of the ith.
func (p *planner) isSink(i int) bool {
	if p.sinks == nil {
		p.sinks = make([]bool, len(p.Stages))
		for at := range p.sinks {
			p.sinks[at] = true
		}
		for at := range p.Stages {
			for _, parent := range p.Stages[at].Parents {
				p.sinks[parent] = false
			}
		}
	}
	return p.sinks[i]
}

// at is how the stage's function is used at a node.
func (p *planner) at(s *Stage, n *Node) FuncAt {
	switch {
	case n.ID == p.Self:
		return s.Here
	case len(n.Funcs) == 0:
		return FuncAt{}
	}
	return n.Funcs[s.Func.Ref]
}

// loadFor is the node's load as the stage would feel it.
func (p *planner) loadFor(s *Stage, n *Node) float64 { return max(n.Load, p.at(s, n).load()) }

// isWarm reports whether the stage's function starts there without delay.
func (p *planner) isWarm(s *Stage, n *Node) bool {
	return !s.Func.Kind.Anywhere() || p.at(s, n).Warm > 0
}
