package run

import "github.com/virga-mesh/virga/mesh"

func (r *Runs) placeFunc(fn mesh.FuncInfo, q *Request) ([]Placement, error) {
	stages := [1]PlaceStage{{Name: fn.Ref.Name, Func: fn, Refs: references(q.Args)}}
	return r.placed(PlaceRequest{Stages: stages[:], Policy: q.Policy, Pins: q.Place})
}

func (r *Runs) place(g *graph, args [][]Arg, policy string, pins map[string]mesh.NodeID, without []mesh.NodeID) ([]Placement, error) {
	stages := make([]PlaceStage, len(g.stages))
	for i := range g.stages {
		s := &g.stages[i]
		stages[i] = PlaceStage{
			Name: s.name, Func: s.fn, Parents: s.parents, Refs: references(args[i]),
			Colocate: s.options.Colocate, Labels: s.options.Labels,
		}
	}
	return r.placed(PlaceRequest{Stages: stages, Policy: policy, Pins: pins, Without: without})
}

func (r *Runs) placed(q PlaceRequest) ([]Placement, error) {
	places, err := r.cfg.Placer.Place(q)
	if err == nil && len(places) != len(q.Stages) {
		err = mesh.Errorf(mesh.Internal, "plan", "%d placements for %d stages", len(places), len(q.Stages))
	}
	return places, err
}
