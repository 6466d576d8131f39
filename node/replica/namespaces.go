package replica

import (
	"context"
	"slices"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// namespacesPage is how many namespaces one answer tells.
const namespacesPage = 1000

// Namespaces gives the names of namespaces that hold keys, in order, which
// are greater than after, as all live nodes know them; more says whether there
// are others. One whose keys were all deleted may be among them. It is
// mesh.Unavailable when so many nodes do not answer that one may be missing.
func (r *Replica) Namespaces(ctx context.Context, after string) (names []string, more bool, err error) {
	nodes := r.Placement.Live()
	answers := make(chan namespacesPart, len(nodes))
	for _, node := range nodes {
		if !r.spawn(func() { answers <- r.namespacesAt(ctx, node, after) }) {
			return nil, false, mesh.Errorf(mesh.Unavailable, "list namespaces", "this node is stopping")
		}
	}
	var parts []namespacesPart
	var last error
	for range nodes {
		if p := <-answers; p.err == nil {
			parts = append(parts, p)
		} else {
			last = p.err
		}
	}
	if failed := len(nodes) - len(parts); failed > 0 && failed >= min(r.WriteQuorum, len(nodes)) {
		return nil, false, mesh.Errorf(mesh.Unavailable, "list namespaces", "%d of %d nodes did not answer: %w", failed, len(nodes), last)
	}
	names, more = mergeNamespaces(parts)
	return names, more, nil
}

// namespacesPart is what one node gives. With more, it is complete only up to its last name.
type namespacesPart struct {
	names []string
	more  bool
	err   error
}

func (r *Replica) namespacesAt(ctx context.Context, node mesh.NodeID, after string) namespacesPart {
	ctx, cancel := r.attempt(ctx, 0)
	defer cancel()
	if node == r.Self {
		names, more, err := r.Local.Namespaces(ctx, after, namespacesPage)
		return namespacesPart{names, more, err}
	}
	reply, err := call[*pb.NamespacesReply](ctx, r.Peers, node, &pb.Namespaces{After: after, Local: true})
	return namespacesPart{reply.GetNames(), reply.GetMore(), err}
}

// mergeNamespaces joins what several nodes know. What lies beyond the end of
// an incomplete part is left for the next page.
func mergeNamespaces(parts []namespacesPart) (names []string, more bool) {
	end := ""
	for _, p := range parts {
		names = append(names, p.names...)
		if p.more && len(p.names) > 0 {
			if last := p.names[len(p.names)-1]; !more || last < end {
				end, more = last, true
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if more {
		at, found := slices.BinarySearch(names, end)
		if found {
			at++
		}
		names = names[:at]
	}
	return names, more
}

// HandleNamespaces answers for the whole mesh, or another node for this node's own store.
func (r *Replica) HandleNamespaces(ctx context.Context, m *pb.Namespaces) (*pb.NamespacesReply, error) {
	find := r.Namespaces
	if m.Local {
		find = func(ctx context.Context, after string) ([]string, bool, error) {
			return r.Local.Namespaces(ctx, after, namespacesPage)
		}
	}
	names, more, err := find(ctx, m.After)
	if err != nil {
		return nil, err
	}
	reply := &pb.NamespacesReply{Names: names, More: more}
	if len(names) > 0 {
		reply.Last = names[len(names)-1]
	}
	return reply, nil
}
