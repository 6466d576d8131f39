package sched

import (
	"math/rand/v2"
	"time"

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

// Request is all that a plan depends on.
type Request struct {
	Self    mesh.NodeID // the coordinator
	Stages  []Stage
	Nodes   []Node                // the live ones, the coordinator among them if it takes work
	Sizes   map[mesh.Key]int64    // bytes of what the stages read
	Costs   map[mesh.FuncRef]Cost // only read
	Policy  Policy                // empty: Locality
	Weights Weights
	Pins    map[string]mesh.NodeID
	Rand    *rand.Rand // draws among equals; nil: the first of them
	Turn    uint64     // of RoundRobin; the caller raises it from plan to plan
}

// Placement is where a stage runs, and why.
type Placement struct {
	Node mesh.NodeID
	Why  string
}

// Plan places every stage. The result has the order of the request's stages.
//
// Errors: Unavailable when no node lives, when a function's hosts are all
// gone, when no live node has the labels that a stage asks for or can run all
// stages of a colocation group or is not where stages of it are already, or when
// a stage is pinned to a node that is gone; Invalid when a pin names no stage or a node that may not run it, and
// for a policy, parent or cycle that cannot be.
func Plan(q Request) ([]Placement, error) {
	policy, err := ParsePolicy(string(q.Policy))
	if err != nil {
		return nil, err
	}
	q.Policy, q.Weights = policy, q.Weights.withDefaults()
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
		if at := q.Stages[i].At; at != "" {
			p.placed[i] = Placement{at, "it is there already"}
		}
	}
	for i := range q.Stages {
		if order != nil {
			i = order[i]
		}
		if err = p.place(i); err != nil {
			return nil, err
		}
	}
	return p.placed, nil
}

type planner struct {
	*Request
	placed []Placement // by stage; a stage's parents are placed before it
	sinks  []bool      // by stage, once it is asked

	// Room for what is worked out for one stage after the other.
	near   []time.Duration
	rested []int
	costs  []estimate
}

// place places a stage, with its colocation group, unless that was placed already.
func (p *planner) place(i int) error {
	s := &p.Stages[i]
	if p.placed[i].Node != "" {
		return nil
	}
	if s.Colocate == "" && p.staysHere(i) {
		p.placed[i] = Placement{p.Self, "on the coordinator: nothing to gain elsewhere"}
		return nil
	}
	return p.placeGroup(p.group(i))
}

// choose picks a node for stages that run on one.
func (p *planner) choose(members, able []int) Placement {
	switch p.Policy {
	case RoundRobin:
		at := (p.Turn%uint64(len(able)) + uint64(members[0])) % uint64(len(able))
		return Placement{p.Nodes[able[at]].ID, "next in turn of " + count(len(able), "node")}
	case Random:
		return Placement{p.Nodes[able[p.draw(len(able))]].ID, "drawn at random from " + count(len(able), "node")}
	}
	return p.local(members, able)
}

// draw gives a number below n.
func (p *planner) draw(n int) int {
	if p.Rand == nil {
		return 0
	}
	return p.Rand.IntN(n)
}
