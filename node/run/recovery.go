package run

import (
	"slices"

	"github.com/virga-mesh/virga/mesh"
)

// loss is what the coordinator knows when it has lost nodes of a run.
type loss struct {
	spec     *spec
	lost     []mesh.NodeID
	standing map[int]standing       // by stage, of those that live nodes have heard of
	reported []bool                 // by stage, of sinks
	forgot   map[mesh.NodeID]uint32 // by nodes that live, the last attempt whose stages they have forgotten
	doubted  map[mesh.NodeID]bool   // those whose sinks' results should have come by now
}

// again lists the stages that have to run again, in order of the DAG's
// declaration. A stage's result is wanted if it is a sink that has not
// reported, or if a stage that is itself wanted waits for it. A wanted result
// that is gone, with its node or because it was not kept, has its stage run
// again; and so for the stages before it. All others keep what they have.
func (l *loss) again() (stages []int) {
	again := make([]bool, len(l.spec.stages))
	waits := make([]bool, len(l.spec.stages))
	order := l.spec.order()
	slices.Reverse(order)
	for _, i := range order {
		if !l.wanted(i, again, waits) {
			continue
		}
		st, here := l.standing[i], !l.gone(i)
		switch {
		case here && st.done && st.kept:
		case here && !st.done:
			waits[i] = true
		default:
			again[i], waits[i] = true, true
		}
	}
	for i := range again {
		if again[i] {
			stages = append(stages, i)
		}
	}
	return stages
}

func (l *loss) isLost(node mesh.NodeID) bool { return slices.Contains(l.lost, node) }

// gone reports whether all that there was of a stage is gone with its node.
func (l *loss) gone(stage int) bool {
	node := l.spec.places[stage].Node
	return l.isLost(node) || l.spec.placed(stage) <= l.forgot[node]
}

// wanted reports whether someone waits for the result of a stage.
func (l *loss) wanted(stage int, again, waits []bool) bool {
	children := l.spec.stages[stage].children
	if len(children) == 0 {
		return !l.reported[stage] && !l.onItsWay(stage)
	}
	return slices.ContainsFunc(children, func(child port) bool {
		if !waits[child.stage] {
			return false
		}
		has := l.standing[child.stage].has
		return again[child.stage] || has == nil || !has[child.input]
	})
}

// onItsWay reports whether a node has forgotten a sink, as it does after
// sending its result, and that may not have arrived yet.
func (l *loss) onItsWay(sink int) bool {
	node := l.spec.places[sink].Node
	return !l.isLost(node) && l.spec.placed(sink) <= l.forgot[node] && !l.doubted[node]
}
