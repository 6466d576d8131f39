package replica

import (
	"context"
	"slices"
	"strings"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Bounds of a page of List.
const (
	DefaultListLimit = 1000
	MaxListLimit     = 10000
)

// List gives up to limit keys of a namespace, in order, whose names begin
// with prefix and are greater than after, as all live nodes know them; more
// says whether there are others. A limit of 0 means DefaultListLimit. It is
// mesh.Unavailable when so many nodes do not answer that a key may be missing.
func (r *Replica) List(ctx context.Context, namespace, prefix, after string, limit int) ([]mesh.KeyInfo, bool, error) {
	limit, err := listLimit(namespace, limit)
	if err != nil {
		return nil, false, err
	}
	req := &pb.List{Namespace: namespace, Prefix: prefix, After: after, Limit: uint32(limit), Local: true}
	nodes := r.Placement.Live()
	pages := make(chan page, len(nodes))
	for _, node := range nodes {
		if !r.spawn(func() { pages <- r.listAt(ctx, node, req) }) {
			return nil, false, mesh.Errorf(mesh.Unavailable, "list "+namespace, "this node is stopping")
		}
	}
	var answered []page
	var failed int
	var last error
	for range nodes {
		if p := <-pages; p.err == nil {
			answered = append(answered, p)
		} else {
			failed, last = failed+1, p.err
		}
	}
	if failed >= min(r.WriteQuorum, len(nodes)) && failed > 0 {
		return nil, false, mesh.Errorf(mesh.Unavailable, "list "+namespace, "%d of %d nodes did not answer: %w", failed, len(nodes), last)
	}
	keys, more := mergePages(answered, limit)
	return keys, more, nil
}

// listLimit validates what a list asks for and gives the limit that it means.
func listLimit(namespace string, limit int) (int, error) {
	if err := mesh.ValidateNamespace(namespace); err != nil {
		return 0, err
	}
	if limit < 0 || limit > MaxListLimit {
		return 0, mesh.Errorf(mesh.Invalid, "list "+namespace, "limit %d: expected 0 to %d", limit, MaxListLimit)
	}
	if limit == 0 {
		return DefaultListLimit, nil
	}
	return limit, nil
}

// page is a part of one node's keys, in order; with more, it is complete only
// up to its last key.
type page struct {
	keys []mesh.KeyInfo
	more bool
	err  error
}

func (r *Replica) listAt(ctx context.Context, node mesh.NodeID, req *pb.List) page {
	ctx, cancel := r.attempt(ctx, 0)
	defer cancel()
	if node == r.Self {
		keys, more, err := r.Local.List(ctx, req.Namespace, req.Prefix, req.After, int(req.Limit))
		return page{keys, more, err}
	}
	reply, err := call[*pb.ListReply](ctx, r.Peers, node, req)
	if err != nil {
		return page{err: err}
	}
	p := page{more: reply.More}
	for _, k := range reply.Keys {
		p.keys = append(p.keys, mesh.KeyInfo{Name: k.Name, Kind: lattice.Kind(min(k.Kind, 255)), Size: int64(k.Size)})
	}
	return p
}

// mergePages joins what several nodes list. Of a key that several hold, the
// largest copy counts. What lies beyond the end of an incomplete page is left
// for the next one.
func mergePages(pages []page, limit int) (keys []mesh.KeyInfo, more bool) {
	end, cut := "", false
	for _, p := range pages {
		keys = append(keys, p.keys...)
		if !p.more || len(p.keys) == 0 {
			continue
		}
		if last := p.keys[len(p.keys)-1].Name; !cut || last < end {
			end, cut = last, true
		}
	}
	slices.SortFunc(keys, func(a, b mesh.KeyInfo) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return int(min(max(b.Size-a.Size, -1), 1))
	})
	keys = slices.CompactFunc(keys, func(a, b mesh.KeyInfo) bool { return a.Name == b.Name })
	if cut {
		beyond, found := slices.BinarySearchFunc(keys, end, func(k mesh.KeyInfo, name string) int { return strings.Compare(k.Name, name) })
		if found {
			beyond++
		}
		keys = keys[:beyond]
	}
	if len(keys) > limit {
		return keys[:limit], true
	}
	return keys, cut
}
