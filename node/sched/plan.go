package sched

import (
	"math/rand/v2"

	"github.com/virga-mesh/virga/mesh"
)

// Policy says how a node is chosen among those that can run a stage.
type Policy string

// The policies of placement.
const (
	// Locality keeps a run where its data is, and on the coordinator when
	// there is nothing to gain elsewhere.
	Locality Policy = "locality"
	// Random draws a node for each stage.
	Random Policy = "random"
	// RoundRobin takes the nodes in turn.
	RoundRobin Policy = "round-robin"
)

// ParsePolicy reads a policy's name; empty means Locality.
func ParsePolicy(s string) (Policy, error) {
	switch p := Policy(s); p {
	case "":
		return Locality, nil
	case Locality, Random, RoundRobin:
		return p, nil
	}
	return "", mesh.Errorf(mesh.Invalid, "plan", "policy %q: expected %s, %s or %s", s, Locality, Random, RoundRobin)
}

// Stage is what the placement of a stage depends on.
type Stage struct {
	Name    string
	Func    mesh.FuncInfo // resolved, with its kind and hosts
	Parents []int         // as indices of the request's stages
	Refs    []mesh.Key    // keys that it reads as arguments
}

// Node is what is known of a live node. Plan only reads the maps, so that
// one snapshot may serve many plans.
type Node struct {
	ID     mesh.NodeID
	Load   float64               // share of its capacity in use; 0 when unknown
	Warm   map[mesh.FuncRef]bool // versions with an instance ready
	Cached map[mesh.Key]int64    // bytes of the keys that it holds
}

// Request is all that a plan depends on.
type Request struct {
	Self   mesh.NodeID // the coordinator
	Stages []Stage
	Nodes  []Node // the live ones, the coordinator among them if it takes work
	Policy Policy // empty: Locality
	Pins   map[string]mesh.NodeID
	Rand   *rand.Rand // draws among equals; nil: the first of them
	Turn   uint64     // of RoundRobin; the caller raises it from plan to plan
}

// Placement is where a stage runs, and why.
type Placement struct {
	Node mesh.NodeID
	Why  string
}

// Plan places every stage. The result has the order of the request's stages.
//
// Errors: Unavailable when no node lives, when a function's hosts are all
// gone or a stage is pinned to a node that is; Invalid when a pin names no
// stage or a node that does not host the function, and for a policy, parent
// or cycle that cannot be.
func Plan(q Request) ([]Placement, error) {
	policy, err := ParsePolicy(string(q.Policy))
	if err != nil {
		return nil, err
	}
	q.Policy = policy
	if len(q.Nodes) == 0 {
		return nil, mesh.Errorf(mesh.Unavailable, "plan", "no live node is known")
	}
	order, err := topological(q.Stages)
	if err != nil {
		return nil, err
	}
	p := planner{Request: &q, placed: make([]Placement, len(q.Stages))}
	if err := p.validatePins(); err != nil {
		return nil, err
	}
	for i := range q.Stages {
		if order != nil {
			i = order[i]
		}
		if p.placed[i], err = p.place(i); err != nil {
			return nil, err
		}
	}
	return p.placed, nil
}

type planner struct {
	*Request
	placed []Placement // by stage; a stage's parents are placed before it
}

func (p *planner) place(i int) (Placement, error) {
	s := &p.Stages[i]
	if pin, ok := p.Pins[s.Name]; ok {
		return p.pinned(s, pin)
	}
	if p.Policy == Locality {
		return p.local(i)
	}
	able := p.able(s)
	if len(able) == 0 {
		return Placement{}, noHost(s)
	}
	if p.Policy == RoundRobin {
		at := (p.Turn%uint64(len(able)) + uint64(i)) % uint64(len(able))
		return Placement{p.Nodes[able[at]].ID, "next in turn of " + count(len(able), "node")}, nil
	}
	return Placement{p.Nodes[able[p.draw(len(able))]].ID, "drawn at random from " + count(len(able), "node")}, nil
}

// able lists the nodes that can run the stage.
func (p *planner) able(s *Stage) []int {
	able := make([]int, 0, len(p.Nodes))
	for n := range p.Nodes {
		if canRun(s, p.Nodes[n].ID) {
			able = append(able, n)
		}
	}
	return able
}

// draw gives a number below n.
func (p *planner) draw(n int) int {
	if p.Rand == nil {
		return 0
	}
	return p.Rand.IntN(n)
}
