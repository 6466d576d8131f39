package replica

import (
	"context"
	"slices"

	"github.com/virga-mesh/virga/mesh"
)

// own is what this node says of a key: its copy, and what nodes hold that it
// has yet to take the key's partition over from.
func (r *Replica) own(ctx context.Context, key mesh.Key, how depth) answer {
	a := answer{owner: r.Self, err: r.home("read")}
	if a.err != nil {
		return a
	}
	a.cell, a.found, a.err = r.Local.Get(key)
	if how == direct {
		return a
	}
	if !r.Placement.Owns(key, r.Replicas) {
		a.notOwner, a.owners = true, r.others(r.owners(key))
		return a
	}
	if a.err != nil || how == living && exists(a.cell) {
		return a
	}
	from, joined := r.unsettled(key.Partition())
	if a.settled = joined; len(from) == 0 {
		return a
	}
	return r.readThrough(ctx, key, how, a, from)
}

// readThrough asks nodes directly for a key and adds what they hold to what
// this node holds. Without an answer of all it is not settled.
func (r *Replica) readThrough(ctx context.Context, key mesh.Key, how depth, a answer, from []mesh.NodeID) answer {
	for other := range r.fetchAll(ctx, key, from, direct) {
		if other.err != nil {
			a.settled = false
			continue
		}
		if !other.found {
			continue
		}
		r.keep(ctx, key, other.cell)
		if a.cell, a.found, a.err = r.Local.Get(key); a.err != nil || how == living && exists(a.cell) {
			break
		}
	}
	return a
}

// unsettled gives the nodes that may hold something of a partition which this
// node, an owner of it, has yet to take over. Before it has joined it cannot know them.
func (r *Replica) unsettled(p mesh.Partition) (from []mesh.NodeID, joined bool) {
	s := r.sync
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.viewed {
		return nil, false
	}
	from = s.settlement.Unsettled(p)
	if r.Refill {
		for _, id := range r.Placement.KnownOwners(p, r.Replicas) {
			if _, met := s.met[id]; !met && id != r.Self && !slices.Contains(from, id) {
				from = append(from, id)
			}
		}
	}
	return from, true
}

// mustBeSettled gives an Unavailable error unless this node is an owner of a
// key and has taken over all there is of its partition.
func (r *Replica) mustBeSettled(key mesh.Key) error {
	if err := r.home("read"); err != nil {
		return err
	}
	from, joined := r.unsettled(key.Partition())
	if joined && len(from) == 0 && r.Placement.Owns(key, r.Replicas) {
		return nil
	}
	return mesh.Errorf(mesh.Unavailable, "read "+key.String(), "this node has yet to take the key over from %d others, or does not own it", len(from))
}
