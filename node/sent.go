package node

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/sched"
)

// sentWork counts the stages that this node placed on others which these
// have not told of yet, so that it does not send all to one that was idle a
// moment ago. Its zero value is ready.
type sentWork struct {
	any    atomic.Bool
	mu     sync.Mutex
	byNode map[mesh.NodeID]*sentTo
}

type sentTo struct {
	at     time.Time // when the count began
	stages int
	byFunc map[mesh.FuncRef]int
}

// sentLife is how long a placement counts, if the node tells nothing: by then it has.
const sentLife = 2 * lookAtWork

// note counts a stage that was placed on a node.
func (s *sentWork) note(node mesh.NodeID, ref mesh.FuncRef, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byNode == nil {
		s.byNode = map[mesh.NodeID]*sentTo{}
	}
	to := s.byNode[node]
	if to == nil || now.Sub(to.at) > sentLife {
		to = &sentTo{at: now, byFunc: map[mesh.FuncRef]int{}}
		s.byNode[node] = to
	}
	to.stages++
	to.byFunc[ref]++
	s.any.Store(true)
}

// told forgets what was placed on a node before it told of its work.
func (s *sentWork) told(node mesh.NodeID) {
	if !s.any.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(node)
}

// forget works with the lock held.
func (s *sentWork) forget(node mesh.NodeID) {
	if delete(s.byNode, node); len(s.byNode) == 0 {
		s.any.Store(false)
	}
}

// add adds to what a node told what was placed on it since: the part of
// that which still runs, by what the functions take.
func (s *sentWork) add(n *sched.Node, refs []mesh.FuncRef, costs map[mesh.FuncRef]sched.Cost, now time.Time) {
	if !s.any.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	to := s.byNode[n.ID]
	if to == nil {
		return
	}
	if now.Sub(to.at) > sentLife {
		s.forget(n.ID)
		return
	}
	passed := max(now.Sub(to.at), time.Millisecond)
	funcs := make(map[mesh.FuncRef]sched.FuncAt, len(refs))
	for _, ref := range refs {
		at := n.Funcs[ref]
		at.Busy += running(to.byFunc[ref], costs[ref].Mean, passed)
		funcs[ref] = at
	}
	var all int
	for ref, stages := range to.byFunc {
		all += running(stages, costs[ref].Mean, passed)
	}
	places := n.Places
	if places == 0 {
		places = unknownPlaces
	}
	n.Load += float64(all) / float64(places)
	n.Funcs = funcs
}

// unknownPlaces are those of a node that has told nothing: the default of Config.Concurrency.
const unknownPlaces = 1024

// running is how many of the stages that came evenly over a time still run.
func running(stages int, mean, passed time.Duration) int {
	if mean == 0 || mean >= passed {
		return stages
	}
	return int(float64(stages) * float64(mean) / float64(passed))
}
