package node

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/node/sched"
)

// outlook is what plans are made by: what the nodes told, as the planner
// reads it. It is made anew each second, and when a node tells something.
type outlook struct {
	self    mesh.NodeID
	labels  map[string]string
	policy  PlacementPolicy
	live    func() []mesh.NodeID
	staying func() []mesh.NodeID // those of them that take work
	told    *workloads
	rtt     func(mesh.NodeID) time.Duration
	current atomic.Pointer[prospect]

	mu      sync.Mutex
	own     *workload // as of the last renewal
	cooling map[mesh.NodeID]time.Time
}

// prospect is the outlook at one moment. It is not changed.
type prospect struct {
	at    time.Time
	nodes map[mesh.NodeID]sched.Node
	of    []mesh.NodeID // those that take work, and
	list  []sched.Node  // the same as nodes
	costs map[mesh.FuncRef]sched.Cost
}

// renewEvery is the shortest time between two renewals for what nodes tell.
const renewEvery = 100 * time.Millisecond

// heard renews the outlook after a node told something, unless it was renewed
// just before: then that is seen at the next renewal.
func (o *outlook) heard() {
	if now := o.current.Load(); now != nil && time.Since(now.at) < renewEvery {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.renewed(time.Now())
}

// renew makes the outlook anew, with this node's own work.
func (o *outlook) renew(own *pb.Workload) {
	now := time.Now()
	parsed, err := parseWorkload(own, now)
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		o.own = parsed
	}
	o.renewed(now)
}

// renewed works with the lock held.
func (o *outlook) renewed(now time.Time) {
	next := &prospect{at: now, nodes: map[mesh.NodeID]sched.Node{}}
	all := map[mesh.NodeID]*workload{}
	for _, id := range o.live() {
		w := o.told.of(id, now)
		if id == o.self {
			w = o.own
		}
		n := sched.Node{ID: id, Cooling: o.cools(id, w, now)}
		if id == o.self {
			n.Labels = o.labels
		} else {
			n.RTT = o.rtt(id)
		}
		if w != nil {
			all[id] = w
			n.Labels, n.Load, n.Waiting, n.Places, n.Funcs = w.labels, w.load(), w.waiting, w.capacity, w.funcs
		}
		next.nodes[id] = n
	}
	next.of = o.staying()
	for _, id := range next.of {
		n := next.nodes[id]
		n.ID = id
		next.list = append(next.list, n)
	}
	next.costs = costsOf(all, len(next.nodes))
	o.current.Store(next)
}

// cools reports whether a node was busy within the cooling time.
func (o *outlook) cools(id mesh.NodeID, w *workload, now time.Time) bool {
	if o.cooling == nil {
		o.cooling = map[mesh.NodeID]time.Time{}
	}
	if w != nil && w.load() > o.policy.Busy {
		o.cooling[id] = w.at.Add(o.policy.Cooling)
	}
	until, was := o.cooling[id]
	if was && !now.Before(until) {
		delete(o.cooling, id)
		return false
	}
	return was
}

// prospect gives the outlook as of now; never nil.
func (o *outlook) prospect() *prospect {
	if now := o.current.Load(); now != nil {
		return now
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.current.Load() == nil {
		o.renewed(time.Now())
	}
	return o.current.Load()
}

// copyOf appends to nodes what is known of those in ids.
func (p *prospect) copyOf(ids []mesh.NodeID, nodes []sched.Node) []sched.Node {
	if len(ids) > 0 && len(ids) == len(p.of) && &ids[0] == &p.of[0] {
		return append(nodes, p.list...)
	}
	for _, id := range ids {
		n := p.nodes[id]
		n.ID = id
		nodes = append(nodes, n)
	}
	return nodes
}

// costsOf puts together what the nodes told of functions, by how much each uses them.
func costsOf(told map[mesh.NodeID]*workload, nodes int) map[mesh.FuncRef]sched.Cost {
	type sum struct{ weight, mean, bytes, cold, colds, rate float64 }
	sums := map[mesh.FuncRef]*sum{}
	for _, w := range told {
		for _, use := range w.uses {
			ref, err := wire.ToFuncRef(use.Ref)
			if err != nil {
				continue
			}
			s := sums[ref]
			if s == nil {
				s = &sum{}
				sums[ref] = s
			}
			rate := float64(use.MilliRate) / 1000
			weight := max(rate, 0.001)
			s.rate += rate
			if use.MeanUs > 0 {
				s.weight += weight
				s.mean += weight * float64(use.MeanUs)
				s.bytes += weight * float64(use.ResultBytes)
			}
			if use.ColdUs > 0 {
				s.colds++
				s.cold += float64(use.ColdUs)
			}
		}
	}
	costs := make(map[mesh.FuncRef]sched.Cost, len(sums))
	for ref, s := range sums {
		cost := sched.Cost{Rate: s.rate / float64(max(1, nodes))}
		if s.weight > 0 {
			cost.Mean = time.Duration(s.mean / s.weight * float64(time.Microsecond))
			cost.ResultBytes = int64(s.bytes / s.weight)
		}
		if s.colds > 0 {
			cost.Cold = time.Duration(s.cold / s.colds * float64(time.Microsecond))
		}
		costs[ref] = cost
	}
	return costs
}

// heardWorkload takes what another node tells of its work.
func (r *rooms) heardWorkload(from mesh.NodeID, m *pb.Workload) error {
	if err := r.workloads.handle(from, m); err != nil {
		return err
	}
	r.sent.told(from)
	r.outlook.heard()
	return nil
}

// roundTrip is that of the connection to a node; 0: there is none, or nothing was measured yet.
func (r *rooms) roundTrip(node mesh.NodeID) time.Duration {
	if conn, ok := r.endpoint.Conn(node); ok {
		return conn.RTT()
	}
	return 0
}
