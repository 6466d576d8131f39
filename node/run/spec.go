package run

import (
	"slices"
	"sync"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// spec is one attempt of a run: the stages, who runs each, and where the
// sinks report. It does not change.
type spec struct {
	*graph
	run         mesh.RunID
	attempt     uint32
	coordinator mesh.NodeID
	places      []Placement // by stage

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
// came. Why a stage runs where it does is for the coordinator alone.
func (s *spec) message() *pb.RunSpec {
	s.encode.Do(func() {
		if s.encoded != nil {
			return
		}
		plan := s.planned()
		for i := range plan {
			plan[i].Why = ""
		}
		s.encoded = &pb.RunSpec{RunId: s.run[:], Attempt: s.attempt, Coordinator: []byte(s.coordinator), Plan: encodePlan(plan)}
	})
	return s.encoded
}

// planned is the plan as records show it.
func (s *spec) planned() []PlannedStage {
	plan := make([]PlannedStage, len(s.stages))
	for i := range s.stages {
		st := &s.stages[i]
		plan[i] = PlannedStage{
			Name: st.name, Func: st.fn.Ref, Placement: s.places[i], Parents: st.parents, HasArgs: st.hasArgs,
			Options: st.options, When: st.when,
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
	for i, p := range plan {
		s.stages[i] = stage{
			name: p.Name, fn: mesh.FuncInfo{Ref: p.Func}, options: p.Options,
			parents: p.Parents, when: p.When, hasArgs: p.HasArgs,
		}
		s.places = append(s.places, p.Placement)
		if s.stages[i].inputs() == 0 {
			return nil, mesh.Errorf(mesh.Invalid, "run", "stage %q has no input: expected parents or arguments", p.Name)
		}
	}
	return s, s.link()
}
