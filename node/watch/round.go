package watch

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// gather asks the nodes until there is news or the deadline has passed.
func (w *Watches) gather(ctx context.Context, s scope, g *gathering, deadline time.Time) error {
	for {
		nodes, err := w.nodes(s)
		if err != nil {
			return err
		}
		if err := w.round(ctx, s, g, nodes, 0); err != nil {
			return err
		}
		left := time.Until(deadline)
		if g.news() || g.began || left < time.Millisecond {
			return nil
		}
		if err := w.round(ctx, s, g, nodes, min(left, w.Slice)); err != nil {
			return err
		}
		if !g.news() {
			continue
		}
		if err := w.pause(ctx, w.Gather); err != nil {
			return err
		}
		return w.round(ctx, s, g, nodes, 0) // what the other owners say of the same
	}
}

// nodes are those that may hold what is watched: the owners of a key, or all.
func (w *Watches) nodes(s scope) ([]mesh.NodeID, error) {
	if s.exact {
		return w.Placement.Owners(mesh.Key{Namespace: s.namespace, Name: s.prefix}, w.Replicas), nil
	}
	live := w.Placement.Live()
	if len(live) > maxPlaces {
		return nil, mesh.Errorf(mesh.Overloaded, "watch", "%d nodes live: a prefix is watched in a mesh of at most %d", len(live), maxPlaces)
	}
	return live, nil
}

// answer is what a node says, or why it does not.
type answer struct {
	node mesh.NodeID
	told told
	err  error
}

// round asks all nodes at once. One that waits ends with the first news. It
// fails only if no node answers.
func (w *Watches) round(ctx context.Context, s scope, g *gathering, nodes []mesh.NodeID, wait time.Duration) error {
	asking, cancel := context.WithTimeout(ctx, wait+w.AttemptTimeout)
	defer cancel()
	answers := make(chan answer, len(nodes))
	for _, node := range nodes {
		at, now := g.ask(node)
		go func() { answers <- w.ask(asking, s, node, at, now, wait) }() // all are received below
	}
	var last error
	answered := 0
	for range nodes {
		a := <-answers
		if a.err != nil {
			last = a.err
			continue
		}
		answered++
		if g.answer(a.node, a.told); wait > 0 && g.news() {
			cancel()
		}
	}
	switch {
	case ctx.Err() != nil:
		return mesh.AsError("watch", context.Cause(ctx))
	case answered == 0:
		return mesh.Errorf(mesh.Unavailable, "watch", "none of %d nodes answers: %w", len(nodes), last)
	}
	return nil
}

// ask asks one node.
func (w *Watches) ask(ctx context.Context, s scope, node mesh.NodeID, at place, now bool, wait time.Duration) answer {
	m, err := w.Peers.Call(ctx, node, &pb.Tail{
		Namespace: s.namespace, Prefix: s.prefix, Exact: s.exact,
		Incarnation: at.incarnation, From: at.next, Now: now, WaitMs: uint32(wait.Milliseconds()),
	})
	if err != nil {
		return answer{node: node, err: err}
	}
	reply, ok := m.(*pb.TailReply)
	if !ok {
		return answer{node: node, err: mesh.Errorf(mesh.Internal, "watch", "node %s answered with %T: expected changes", node.Short(), m)}
	}
	t, err := readTold(reply)
	return answer{node, t, err}
}

func readTold(reply *pb.TailReply) (told, error) {
	t := told{at: place{reply.Incarnation, reply.Next}, lost: reply.Lost}
	for _, key := range reply.Keys {
		e := event{name: key.Name, omitted: key.Omitted}
		if !e.omitted {
			var err error
			if e.cell, err = lattice.DecodeCell(key.Cell); err != nil {
				return told{}, mesh.Errorf(mesh.Internal, "watch", "key %q: %w", key.Name, err)
			}
		}
		t.bytes += len(key.Cell)
		t.keys = append(t.keys, e)
	}
	return t, nil
}
