package run

import (
	"slices"

	"github.com/virga-mesh/virga/mesh"
)

// plan is what an encoded plan says, for all attempts that it comes with. It
// does not change.
type plan struct {
	*graph
	places   []Placement
	attempts []uint32 // by stage, in which it was placed; 0: in the one that the plan comes with
}

// planOf reads a plan that came from another node. Most come again and again.
func (r *Runs) planOf(encoded []byte) (*plan, error) {
	if known := r.plans.get(string(encoded)); known != nil {
		return known, nil
	}
	p, err := newPlan(encoded)
	if err == nil && len(encoded) <= recentPlanSize {
		r.plans.put(string(encoded), p)
	}
	return p, err
}

func newPlan(encoded []byte) (*plan, error) {
	stages, err := decodePlan(encoded)
	if err != nil {
		return nil, err
	}
	if len(stages) == 0 {
		return nil, mesh.Errorf(mesh.Invalid, "run", "a plan of 0 stages: expected at least one")
	}
	p := &plan{graph: &graph{stages: make([]stage, len(stages))}, places: make([]Placement, len(stages)), attempts: make([]uint32, len(stages))}
	for i, s := range stages {
		p.stages[i] = stage{
			name: s.Name, fn: mesh.FuncInfo{Ref: s.Func}, options: s.Options, pinned: s.Pinned,
			parents: s.Parents, when: s.When, hasArgs: s.HasArgs,
		}
		p.places[i], p.attempts[i] = s.Placement, s.Attempt
		if p.stages[i].inputs() == 0 {
			return nil, mesh.Errorf(mesh.Invalid, "run", "stage %q has no input: expected parents or arguments", s.Name)
		}
	}
	return p, p.link()
}

// sentPlan is the encoding of the plan that a graph was sent with last.
type sentPlan struct {
	places  []Placement
	encoded []byte
}

// encodedPlan gives the plan as it travels: encoded once, or as it came. Why
// a stage runs where it does is for the coordinator alone.
func (s *spec) encodedPlan() []byte {
	s.encode.Do(func() {
		if s.encoded == nil {
			s.encoded = s.encodeAgain()
		}
	})
	return s.encoded
}

// encodeAgain encodes the plan, unless the graph was sent last with the same:
// runs of one DAG often are where the one before was.
func (s *spec) encodeAgain() []byte {
	last := s.graph.sent.Load()
	if last != nil && s.since == nil && slices.EqualFunc(last.places, s.places, func(a, b Placement) bool { return a.Node == b.Node }) {
		return last.encoded
	}
	stages := s.planned()
	for i := range stages {
		stages[i].Why = ""
		if stages[i].Attempt == s.attempt {
			stages[i].Attempt = 0
		}
	}
	encoded := encodePlan(stages)
	if s.since == nil {
		s.graph.sent.Store(&sentPlan{s.places, encoded})
	}
	return encoded
}
