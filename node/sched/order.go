package sched

import "github.com/virga-mesh/virga/mesh"

// topological orders the stages so that parents come first; nil means that
// they already do.
func topological(stages []Stage) ([]int, error) {
	sorted := true
	for i, s := range stages {
		for _, parent := range s.Parents {
			if parent < 0 || parent >= len(stages) {
				return nil, stageError(&stages[i], mesh.Invalid, "parent %d: expected 0 to %d", parent, len(stages)-1)
			}
			sorted = sorted && parent < i
		}
	}
	if sorted {
		return nil, nil
	}
	return peel(stages)
}

// peel takes off stages whose parents are all taken (Kahn).
func peel(stages []Stage) ([]int, error) {
	children := make([][]int, len(stages))
	waiting := make([]int, len(stages))
	order := make([]int, 0, len(stages))
	for i, s := range stages {
		for _, parent := range s.Parents {
			children[parent] = append(children[parent], i)
		}
		if waiting[i] = len(s.Parents); waiting[i] == 0 {
			order = append(order, i)
		}
	}
	for next := 0; next < len(order); next++ {
		for _, child := range children[order[next]] {
			if waiting[child]--; waiting[child] == 0 {
				order = append(order, child)
			}
		}
	}
	if len(order) < len(stages) {
		return nil, mesh.Errorf(mesh.Invalid, "plan", "the stages form a cycle: expected every stage to come after its parents")
	}
	return order, nil
}
