package run

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/effects"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// spec is one attempt of a run: the stages, who runs each, and where the
// sinks report. It does not change.
type spec struct {
	*graph
	run         mesh.RunID
	attempt     uint32
	work        effects.Work // from which the effects of its stages have their ids
	coordinator mesh.NodeID
	places      []Placement // by stage
	since       []uint32    // by stage, the attempt in which it was placed there; nil: this one

	encode  sync.Once
	encoded *pb.RunSpec
}

func (s *spec) key() runKey { return runKey{s.run, s.coordinator} }

// nodes lists the nodes that take part, each once.
func (s *spec) nodes() []mesh.NodeID {
	var nodes []mesh.NodeID
	for i := range s.places {
		if node := s.places[i].Node; !slices.Contains(nodes, node) {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// placed gives the attempt in which a stage was given to its node. Node and
// attempt together tell one execution of a stage from another.
func (s *spec) placed(stage int) uint32 {
	if s.since == nil {
		return s.attempt
	}
	return s.since[stage]
}

// amended gives the next attempt, with the stages in anew placed again, in
// that order, and all others where they are.
func (s *spec) amended(anew []int, places []Placement) *spec {
	next := &spec{
		graph: s.graph, run: s.run, attempt: s.attempt + 1, coordinator: s.coordinator,
		places: slices.Clone(s.places), since: make([]uint32, len(s.stages)),
	}
	for i := range next.since {
		next.since[i] = s.placed(i)
	}
	for n, stage := range anew {
		next.places[stage], next.since[stage] = places[n], next.attempt
	}
	return next
}

// follows reports whether the attempt goes on with what an earlier one has
// done: some stage is where it was.
func (s *spec) follows(earlier *spec) bool {
	if s.attempt <= earlier.attempt || !s.sameShape(earlier.graph) {
		return false
	}
	for i := range s.stages {
		if s.stays(earlier, i) {
			return true
		}
	}
	return false
}

// stays reports whether a stage is where it was in another attempt.
func (s *spec) stays(other *spec, stage int) bool {
	return s.placed(stage) == other.placed(stage) && s.places[stage].Node == other.places[stage].Node
}

// keeps reports whether a node keeps results after its stages have ended, and
// so has to be told when the run is over.
func (s *spec) keeps(node mesh.NodeID) bool {
	for i := range s.stages {
		if s.places[i].Node == node && !s.stages[i].sink() {
			return true
		}
	}
	return false
}

func (s *spec) uses(node mesh.NodeID) bool { return s.stagesOn(node) > 0 }

func (s *spec) stagesOn(node mesh.NodeID) (n int) {
	for i := range s.places {
		if s.places[i].Node == node {
			n++
		}
	}
	return n
}

// message gives the spec as it travels with every hop: made once, or as it
// came, but for the age of its work. Why a stage runs where it does is for the
// coordinator alone.
func (s *spec) message() *pb.RunSpec {
	s.encode.Do(func() {
		if s.encoded != nil {
			return
		}
		plan := s.planned()
		for i := range plan {
			plan[i].Why = ""
			if plan[i].Attempt == s.attempt {
				plan[i].Attempt = 0
			}
		}
		s.encoded = &pb.RunSpec{RunId: s.run[:], Attempt: s.attempt, Coordinator: []byte(s.coordinator), Plan: encodePlan(plan)}
		if s.work.ID != s.run {
			s.encoded.Work = s.work.ID[:]
		}
	})
	age := s.work.Age()
	if age == 0 {
		return s.encoded
	}
	e := s.encoded
	return &pb.RunSpec{
		RunId: e.RunId, Attempt: e.Attempt, Coordinator: e.Coordinator, Plan: e.Plan, Work: e.Work,
		WorkAgeUs: uint64(age / time.Microsecond),
	}
}

// planned is the plan as records show it.
func (s *spec) planned() []PlannedStage {
	plan := make([]PlannedStage, len(s.stages))
	for i := range s.stages {
		st := &s.stages[i]
		plan[i] = PlannedStage{
			Name: st.name, Func: st.fn.Ref, Placement: s.places[i], Parents: st.parents, HasArgs: st.hasArgs,
			Options: st.options, When: st.when, Attempt: s.placed(i), Pinned: st.pinned,
		}
	}
	return plan
}

// parseSpec reads and checks a spec that came from another node.
func parseSpec(m *pb.RunSpec) (*spec, error) {
	id, err := wire.ToRunID(m.GetRunId())
	if err != nil {
		return nil, err
	}
	plan, err := decodePlan(m.GetPlan())
	if err != nil {
		return nil, err
	}
	if len(plan) == 0 || len(m.GetCoordinator()) == 0 {
		return nil, mesh.Errorf(mesh.Invalid, "run", "a plan of %d stages, coordinator of %d bytes: expected at least one each", len(plan), len(m.GetCoordinator()))
	}
	s := &spec{graph: &graph{stages: make([]stage, len(plan))}, run: id, attempt: m.Attempt, coordinator: mesh.NodeID(m.Coordinator), encoded: m}
	work := id
	if len(m.GetWork()) > 0 {
		if work, err = wire.ToRunID(m.Work); err != nil {
			return nil, err
		}
	}
	s.work = effects.Aged(work, micros(m.GetWorkAgeUs()))
	for i, p := range plan {
		s.stages[i] = stage{
			name: p.Name, fn: mesh.FuncInfo{Ref: p.Func}, options: p.Options, pinned: p.Pinned,
			parents: p.Parents, when: p.When, hasArgs: p.HasArgs,
		}
		s.places = append(s.places, p.Placement)
		if p.Attempt > m.Attempt {
			return nil, mesh.Errorf(mesh.Invalid, "run", "stage %q was placed in attempt %d of %d", p.Name, p.Attempt, m.Attempt)
		}
		s.placeAt(i, p.Attempt)
		if s.stages[i].inputs() == 0 {
			return nil, mesh.Errorf(mesh.Invalid, "run", "stage %q has no input: expected parents or arguments", p.Name)
		}
	}
	return s, s.link()
}

// placeAt notes the attempt in which a stage was placed; 0: this one.
func (s *spec) placeAt(stage int, attempt uint32) {
	attempt = cmp.Or(attempt, s.attempt)
	if s.since == nil && attempt == s.attempt {
		return
	}
	if s.since == nil {
		s.since = slices.Repeat([]uint32{s.attempt}, len(s.stages))
	}
	s.since[stage] = attempt
}
