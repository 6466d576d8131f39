package replica

import (
	"context"
	"slices"
	"sync"

	"github.com/virga-mesh/virga/mesh"
)

// forgiven are the nodes of whose debts some were dropped, because there were
// too many: they are to compare what they hold once they take what is left.
type forgiven struct {
	mu    sync.Mutex
	nodes map[mesh.NodeID]bool
}

// forgive drops a debt. The node finds by anti-entropy what it lacks: this
// node holds it until all owners have confirmed that they do.
func (r *Replica) forgive(node mesh.NodeID, why error) {
	r.dropped.Add(1)
	r.forgiven.mu.Lock()
	first := !r.forgiven.nodes[node]
	if r.forgiven.nodes == nil {
		r.forgiven.nodes = map[mesh.NodeID]bool{}
	}
	r.forgiven.nodes[node] = true
	r.forgiven.mu.Unlock()
	if first {
		r.Log.Warn("a node is owed too much: what is more it has to find by comparing", "node", node.Short(), "err", why)
	}
}

// isForgiven reports once whether debts of a node were dropped.
func (r *Replica) isForgiven(node mesh.NodeID) bool {
	r.forgiven.mu.Lock()
	defer r.forgiven.mu.Unlock()
	was := r.forgiven.nodes[node]
	delete(r.forgiven.nodes, node)
	return was
}

// dropDebts forgets what nodes are owed that left the mesh for good.
func (r *Replica) dropDebts(ctx context.Context) {
	r.dueMu.Lock()
	owed := r.due.Owed()
	r.dueMu.Unlock()
	if len(owed) == 0 {
		return
	}
	members := r.Placement.Members()
	left := slices.DeleteFunc(owed, func(d Debt) bool { return slices.Contains(members, d.Node) })
	if len(left) == 0 {
		return
	}
	dropped, err := r.Local.DropHints(ctx, func(node mesh.NodeID, _ mesh.Key) bool {
		return slices.ContainsFunc(left, func(d Debt) bool { return d.Node == node })
	})
	if err != nil {
		r.Log.Warn("what nodes were owed that left for good cannot be dropped", "err", err)
	}
	if dropped > 0 {
		r.Log.Info("nodes left for good: what they were owed is dropped", "nodes", len(left), "keys", dropped)
	}
}
