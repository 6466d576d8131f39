package node

import (
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/run"
	"github.com/virga-mesh/virga/node/sched"
)

// placer plans with what this node knows of the live ones.
type placer struct {
	self   mesh.NodeID
	live   func() []mesh.NodeID                     // that take work, this node perhaps included; not to be changed
	owners func(key mesh.Key, n int) []mesh.NodeID  // of a key
	n      int                                      // owners of a key
	cached func(key mesh.Key) map[mesh.NodeID]int64 // bytes of a key in the caches of other nodes
	turn   atomic.Uint64                            // of round-robin
}

// Place implements run.Placer.
func (p *placer) Place(q run.PlaceRequest) ([]run.Placement, error) {
	live := p.live()
	request := sched.Request{
		Self: p.self, Policy: sched.Policy(q.Policy), Pins: q.Pins, Turn: p.turn.Add(1), Rand: rand.New(runtimeSource{}),
		Stages: make([]sched.Stage, len(q.Stages)), Nodes: make([]sched.Node, 0, len(live)),
	}
	var holders map[mesh.NodeID]map[mesh.Key]int64
	for i, s := range q.Stages {
		request.Stages[i] = sched.Stage{Name: s.Name, Func: s.Func, Parents: s.Parents, Refs: s.Refs}
		if len(s.Refs) > 0 && holders == nil {
			holders = map[mesh.NodeID]map[mesh.Key]int64{}
		}
		p.addHolders(holders, s.Refs)
	}
	for _, id := range live {
		if !slices.Contains(q.Without, id) {
			request.Nodes = append(request.Nodes, sched.Node{ID: id, Cached: holders[id]})
		}
	}
	placed, err := sched.Plan(request)
	if err != nil {
		return nil, err
	}
	placements := make([]run.Placement, len(placed))
	for i, at := range placed {
		placements[i] = run.Placement(at)
	}
	return placements, nil
}

// runtimeSource is the runtime's generator, which needs no seed of its own for each plan.
type runtimeSource struct{}

func (runtimeSource) Uint64() uint64 { return rand.Uint64() }

// addHolders notes who holds the keys: their owners, and the nodes that
// have published that they cache them. How large a key is, the caches tell;
// where none does, it counts as one byte.
func (p *placer) addHolders(holders map[mesh.NodeID]map[mesh.Key]int64, keys []mesh.Key) {
	add := func(node mesh.NodeID, key mesh.Key, bytes int64) {
		if holders[node] == nil {
			holders[node] = map[mesh.Key]int64{}
		}
		holders[node][key] = bytes
	}
	for _, key := range keys {
		size := int64(1)
		for node, bytes := range p.cached(key) {
			size = max(size, bytes)
			add(node, key, bytes)
		}
		for _, owner := range p.owners(key, p.n) {
			add(owner, key, size)
		}
	}
}
