package run

import (
	"slices"

	"github.com/virga-mesh/virga/mesh"
)

func (r *Runs) placeFunc(fn mesh.FuncInfo, q *Request) ([]Placement, error) {
	stages := [1]PlaceStage{{Name: fn.Ref.Name, Func: fn, Refs: references(q.Args)}}
	if q.Stage != nil {
		stages[0].Labels = q.Stage.Labels
	}
	return r.placed(PlaceRequest{Stages: stages[:], Policy: q.Policy, Pins: q.Place})
}

// place places the stages of a graph; of those that stay where they are, at
// gives the nodes, by stage. At is nil where there are none.
func (r *Runs) place(g *graph, at []mesh.NodeID, args [][]Arg, policy string, pins map[string]mesh.NodeID, without []mesh.NodeID) ([]Placement, error) {
	stages := make([]PlaceStage, len(g.stages))
	for i := range g.stages {
		s := &g.stages[i]
		stages[i] = PlaceStage{
			Name: s.name, Func: s.fn, Parents: s.parents, Refs: references(args[i]),
			Colocate: s.options.Colocate, Labels: s.options.Labels,
		}
		if at != nil {
			stages[i].At = at[i]
			if slices.Contains(without, at[i]) {
				stages[i].Colocate = "" // it is over, and holds nobody there
			}
		}
	}
	return r.placed(PlaceRequest{Stages: stages, Policy: policy, Pins: pins, Without: without})
}

// another gives a node other than this one, and without some, that may run a
// piece of a stage of this node.
func (r *Runs) another(t *piece, policy string, without []mesh.NodeID) (mesh.NodeID, bool) {
	if t.bound {
		return "", false
	}
	stages := [1]PlaceStage{{Name: t.fn.Ref.Name, Func: t.fn, Labels: t.labels}}
	without = append(slices.Clone(without), r.cfg.Self)
	places, err := r.placed(PlaceRequest{Stages: stages[:], Policy: policy, Without: without})
	if err != nil || slices.Contains(without, places[0].Node) {
		return "", false
	}
	return places[0].Node, true
}

func (r *Runs) placed(q PlaceRequest) ([]Placement, error) {
	places, err := r.cfg.Placer.Place(q)
	if err == nil && len(places) != len(q.Stages) {
		err = mesh.Errorf(mesh.Internal, "plan", "%d placements for %d stages", len(places), len(q.Stages))
	}
	return places, err
}
