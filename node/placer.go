package node

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/exec"
	"github.com/virga-mesh/virga/node/run"
	"github.com/virga-mesh/virga/node/sched"
)

// placer plans with what this node knows of the live ones.
type placer struct {
	self    mesh.NodeID
	policy  PlacementPolicy
	live    func() []mesh.NodeID                     // that take work, this node perhaps included; not to be changed
	owners  func(key mesh.Key, n int) []mesh.NodeID  // of a key
	n       int                                      // owners of a key
	cached  func(key mesh.Key) map[mesh.NodeID]int64 // bytes of a key in the caches of other nodes
	outlook *outlook
	exec    *exec.Executor
	sent    *sentWork
	turn    atomic.Uint64 // of round-robin
}

// newPlacer makes the placer, what it plans by, and what keeps functions warm by the same.
func (r *rooms) newPlacer() *placer {
	r.outlook = &outlook{self: r.self, labels: r.cfg.Labels, policy: r.cfg.Placement, live: r.live, staying: r.staying, told: &r.workloads, rtt: r.roundTrip}
	r.warmth = newWarmKeeper(r)
	return &placer{
		self: r.self, policy: r.cfg.Placement, live: r.staying, owners: r.dht.Owners, n: r.cfg.Replicas, cached: r.published.Holders,
		outlook: r.outlook, exec: r.exec, sent: &r.sent,
	}
}

// Place implements run.Placer.
func (p *placer) Place(q run.PlaceRequest) ([]run.Placement, error) {
	known := p.outlook.prospect()
	request := sched.Request{
		Self: p.self, Policy: sched.Policy(cmp.Or(q.Policy, p.policy.Policy)), Weights: p.policy.weights(), Pins: q.Pins,
		Turn: p.turn.Add(1), Rand: rand.New(runtimeSource{}), Costs: known.costs, Stages: make([]sched.Stage, len(q.Stages)),
	}
	holders := p.stages(&request, q.Stages)
	p.nodes(&request, known, q.Without, holders)
	placed, err := sched.Plan(request)
	if err != nil {
		return nil, err
	}
	placements := make([]run.Placement, len(placed))
	for i, at := range placed {
		placements[i] = run.Placement(at)
		if at.Node != p.self && q.Stages[i].At == "" {
			p.sent.note(at.Node, q.Stages[i].Func.Ref, time.Now())
		}
	}
	return placements, nil
}

// heldBytes is who holds how much of which keys.
type heldBytes map[mesh.NodeID]map[mesh.Key]int64

// stages describes the stages, and finds who holds what they read.
func (p *placer) stages(request *sched.Request, stages []run.PlaceStage) (holders heldBytes) {
	for i := range stages {
		s := &stages[i]
		warm, busy, limit := p.exec.At(&s.Func)
		request.Stages[i] = sched.Stage{
			Name: s.Name, Func: s.Func, Parents: s.Parents, Refs: s.Refs, Colocate: s.Colocate, Labels: s.Labels, At: s.At,
			Here: sched.FuncAt{Warm: warm, Busy: busy, Limit: limit},
		}
		if len(s.Refs) == 0 {
			continue
		}
		if holders == nil {
			holders, request.Sizes = heldBytes{}, map[mesh.Key]int64{}
		}
		p.addHolders(holders, request.Sizes, s.Refs)
	}
	return holders
}

// nodes describes the nodes that may take part: what they told, and how this
// one stands now.
func (p *placer) nodes(request *sched.Request, known *prospect, without []mesh.NodeID, holders heldBytes) {
	live := p.live()
	nodes := known.copyOf(live, make([]sched.Node, 0, len(live)))
	if len(without) > 0 {
		nodes = slices.DeleteFunc(nodes, func(n sched.Node) bool { return slices.Contains(without, n.ID) })
	}
	var refs []mesh.FuncRef
	if p.sent.any.Load() {
		refs = refsOf(request.Stages)
	}
	for i := range nodes {
		n := &nodes[i]
		if holders != nil {
			n.Cached = holders[n.ID]
		}
		switch {
		case n.ID == p.self:
			now := p.exec.Load()
			n.Load, n.Waiting, n.Places = float64(now.Running+now.Waiting)/float64(now.Capacity), now.Waiting, now.Capacity
		case refs != nil:
			p.sent.add(n, refs, known.costs, time.Now())
		}
	}
	request.Nodes = nodes
}

func refsOf(stages []sched.Stage) []mesh.FuncRef {
	refs := make([]mesh.FuncRef, len(stages))
	for i := range stages {
		refs[i] = stages[i].Func.Ref
	}
	return refs
}

// runtimeSource is the runtime's generator, which needs no seed of its own for each plan.
type runtimeSource struct{}

func (runtimeSource) Uint64() uint64 { return rand.Uint64() }

// addHolders notes who holds the keys: their owners, and the nodes that
// have published that they cache them. How large a key is, the caches tell;
// where none does, it counts as one byte.
func (p *placer) addHolders(holders heldBytes, sizes map[mesh.Key]int64, keys []mesh.Key) {
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
		sizes[key] = size
	}
}
