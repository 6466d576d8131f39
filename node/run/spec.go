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
	session     mesh.Session // in which its stages read and write
	coordinator mesh.NodeID
	places      []Placement // by stage
	since       []uint32    // by stage, the attempt in which it was placed there; nil: this one

	encode  sync.Once
	encoded []byte // the plan, once it was sent or as it came
	audience
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
		graph: s.graph, run: s.run, attempt: s.attempt + 1, coordinator: s.coordinator, session: s.session,
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

// message gives the spec with its plan.
func (s *spec) message() *pb.RunSpec {
	m := &pb.RunSpec{Plan: s.encodedPlan()}
	s.identify(m)
	return m
}

// tell sets m to the spec as it travels with a hop: with the plan unless the
// node has it.
func (s *spec) tell(m *pb.RunSpec, node mesh.NodeID) {
	s.identify(m)
	if node != s.coordinator && s.introduce(node) {
		m.Plan = s.encodedPlan()
	}
}

// identify sets all but the plan.
func (s *spec) identify(m *pb.RunSpec) {
	m.RunId, m.Attempt, m.Coordinator = s.run[:], s.attempt, []byte(s.coordinator)
	m.WorkAgeUs = uint64(s.work.Age() / time.Microsecond)
	m.Session = wire.FromSession(s.session)
	if s.work.ID != s.run {
		m.Work = s.work.ID[:]
	}
}

// audience are the nodes that have a plan: it was sent to them from here, or
// they sent something that follows from it.
type audience struct {
	mu    sync.Mutex
	nodes []mesh.NodeID
}

// introduce adds a node, and reports whether it is new.
func (a *audience) introduce(node mesh.NodeID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if slices.Contains(a.nodes, node) {
		return false
	}
	a.nodes = append(a.nodes, node)
	return true
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
func (r *Runs) parseSpec(m *pb.RunSpec) (*spec, error) {
	id, err := wire.ToRunID(m.GetRunId())
	if err != nil {
		return nil, err
	}
	work := id
	if len(m.GetWork()) > 0 {
		if work, err = wire.ToRunID(m.Work); err != nil {
			return nil, err
		}
	}
	session, err := wire.ToSession(m.GetSession())
	if err != nil {
		return nil, err
	}
	p, err := r.planOf(m.GetPlan())
	if err != nil {
		return nil, err
	}
	s := &spec{
		graph: p.graph, places: p.places, run: id, attempt: m.Attempt, coordinator: mesh.NodeID(m.Coordinator), encoded: m.Plan,
		work: effects.Aged(work, micros(m.GetWorkAgeUs())), session: session,
	}
	for i, attempt := range p.attempts {
		if attempt > m.Attempt {
			return nil, mesh.Errorf(mesh.Invalid, "run", "stage %q was placed in attempt %d of %d", s.stages[i].name, attempt, m.Attempt)
		}
		s.placeAt(i, attempt)
	}
	return s, nil
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
