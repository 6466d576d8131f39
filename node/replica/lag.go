package replica

import (
	"cmp"
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// Lag is how far other owners are behind, as this node knows.
type Lag struct {
	Sending      int64 // deltas on their way, and not acknowledged yet
	SendingBytes int64
	Owed         []Debt // what nodes are owed that did not acknowledge, by node
	Dropped      int64  // debts that were too many, which the nodes have to find by comparing
	Repaired     int64  // copies of keys that reads with a quorum and anti-entropy brought up to date
	Pulled       int64  // bytes that anti-entropy took over from other nodes
	Unsettled    int    // partitions, as Unsettled tells
}

// Debt tells that a node is owed deltas.
type Debt struct {
	Node  mesh.NodeID
	Since time.Time // at the earliest when this node was started
}

// Lag gives the figures as they are now.
func (r *Replica) Lag() Lag {
	r.dueMu.Lock()
	owed := r.due.Owed()
	r.dueMu.Unlock()
	return Lag{
		Sending: r.sending.Load(), SendingBytes: r.sendingBytes.Load(), Owed: owed, Dropped: r.dropped.Load(),
		Repaired: r.repaired.Load() + r.sync.repairs.Load(), Pulled: r.sync.bytes.Load(), Unsettled: r.Unsettled(),
	}
}

// Owed lists the nodes that are owed something.
func (d *deliveries) Owed() []Debt {
	owed := make([]Debt, 0, len(d.nodes))
	for node, to := range d.nodes {
		owed = append(owed, Debt{Node: node, Since: to.since})
	}
	slices.SortFunc(owed, func(a, b Debt) int { return cmp.Compare(a.Node, b.Node) })
	return owed
}
