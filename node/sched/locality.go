package sched

import (
	"cmp"
	"strconv"

	"github.com/virga-mesh/virga/mesh"
)

// local keeps the stage on the coordinator unless something is to be gained
// elsewhere, and else takes the best node that can run it.
//
// Whether an instance is warm is asked only when the stage has to leave:
// a cold start is paid once, but a hop for every call.
func (p *planner) local(i int) (Placement, error) {
	s := &p.Stages[i]
	if self := p.node(p.Self); self != nil && canRun(s, p.Self) && !p.gain(i, self) {
		return Placement{p.Self, "on the coordinator: nothing to gain elsewhere"}, nil
	}
	best, equals := p.best(i)
	if best < 0 {
		return Placement{}, noHost(s)
	}
	return Placement{p.Nodes[best].ID, p.why(i, best, equals)}, nil
}

// gain reports whether the stage's data is elsewhere: more bytes of what it
// reads than here, or a parent's result.
func (p *planner) gain(i int, self *Node) bool {
	s := &p.Stages[i]
	for _, parent := range s.Parents {
		if p.placed[parent].Node != p.Self {
			return true
		}
	}
	if len(s.Refs) == 0 {
		return false
	}
	here := cachedBytes(s, self)
	for n := range p.Nodes {
		if canRun(s, p.Nodes[n].ID) && cachedBytes(s, &p.Nodes[n]) > here {
			return true
		}
	}
	return false
}

// best gives the node that comes first by score, and how many come first
// together with it; among those it draws.
func (p *planner) best(i int) (best, equals int) {
	s := &p.Stages[i]
	best = -1
	var top score
	for n := range p.Nodes {
		if !canRun(s, p.Nodes[n].ID) {
			continue
		}
		score := p.score(i, &p.Nodes[n])
		_, c := score.compare(top)
		switch {
		case best < 0 || c > 0:
			best, top, equals = n, score, 1
		case c == 0:
			if equals++; p.Rand != nil && p.Rand.IntN(equals) == 0 {
				best = n
			}
		}
	}
	return best, equals
}

// A criterion is one thing that nodes are compared by, the strongest first.
type criterion int

const (
	byBytes criterion = iota
	byWarmth
	byParents
	bySelf
	byLoad
	byNothing
)

// score is how well a stage would run on a node. The larger comes first, but
// for the load.
type score struct {
	bytes   int64 // that it holds of what the stage reads
	warm    int   // 1 if an instance is ready
	parents int   // that run there
	self    int   // 1 if it is the coordinator
	load    float64
}

func (p *planner) score(i int, n *Node) score {
	s := &p.Stages[i]
	sc := score{bytes: cachedBytes(s, n), load: n.Load}
	if n.Warm[s.Func.Ref] {
		sc.warm = 1
	}
	if n.ID == p.Self {
		sc.self = 1
	}
	for _, parent := range s.Parents {
		if p.placed[parent].Node == n.ID {
			sc.parents++
		}
	}
	return sc
}

// compare tells which score comes first (positive: a), and by what.
func (a score) compare(b score) (criterion, int) {
	for by, c := range [...]int{
		byBytes:   cmp.Compare(a.bytes, b.bytes),
		byWarmth:  cmp.Compare(a.warm, b.warm),
		byParents: cmp.Compare(a.parents, b.parents),
		bySelf:    cmp.Compare(a.self, b.self),
		byLoad:    cmp.Compare(b.load, a.load),
	} {
		if c != 0 {
			return criterion(by), c
		}
	}
	return byNothing, 0
}

func cachedBytes(s *Stage, n *Node) int64 {
	var sum int64
	for _, ref := range s.Refs {
		sum += n.Cached[ref]
	}
	return sum
}

// why names the strongest criterion by which the chosen node beat another.
func (p *planner) why(i, best, equals int) string {
	s := &p.Stages[i]
	top := p.score(i, &p.Nodes[best])
	decisive, able := byNothing, 0
	for n := range p.Nodes {
		if !canRun(s, p.Nodes[n].ID) {
			continue
		}
		able++
		by, _ := top.compare(p.score(i, &p.Nodes[n]))
		decisive = min(decisive, by)
	}
	if able == 1 {
		return "the only live node that can run it"
	}
	return p.reason(decisive, s, top, p.Nodes[best].ID, equals)
}

func (p *planner) reason(by criterion, s *Stage, top score, node mesh.NodeID, equals int) string {
	switch by {
	case byBytes:
		return "holds " + count(int(top.bytes), "byte") + " of what it reads"
	case byWarmth:
		return "has a warm instance"
	case byParents:
		for _, parent := range s.Parents {
			if p.placed[parent].Node == node {
				return "beside its parent " + p.Stages[parent].Name
			}
		}
	case bySelf:
		return "on the coordinator: no other node is better"
	case byLoad:
		return "the least loaded node that can run it"
	}
	return "one of " + count(equals, "node") + " that are as good"
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
