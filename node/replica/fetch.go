package replica

import (
	"context"
	"iter"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// answer is what one node says of a key. A deleted cell is found, too.
type answer struct {
	owner mesh.NodeID
	cell  lattice.Cell
	found bool
	err   error

	silent   bool          // it was not waited for: nothing is heard from the node
	notOwner bool          // by its own view
	owners   []mesh.NodeID // then: those that it sees
	settled  bool          // an owner that has taken over all there is of the key
}

// counts reports whether the answer is an owner's that knows all it should.
func (a answer) counts() bool { return a.err == nil && !a.notOwner && a.settled }

// exists reports whether a cell holds a value: it was written, and neither
// deleted since nor has it expired.
func exists(cell lattice.Cell) bool {
	_, ok := cell.Value()
	return ok && !cell.Expired(time.Now)
}

// depth is how far a node goes to answer a fetch.
type depth uint8

const (
	// living: an owner that has no living copy, and has yet to take the
	// partition over, asks those that may have one.
	living depth = iota
	// complete: it does so in any case, since its answer counts for a quorum.
	complete
	// direct: the node answers from its own store.
	direct
)

// fetch asks one node, which may be this one.
func (r *Replica) fetch(ctx context.Context, key mesh.Key, node mesh.NodeID, how depth) answer {
	return r.fetchBy(ctx, key, node, how, func(ctx context.Context, req wire.Message) (wire.Message, bool, error) {
		reply, err := r.Peers.Call(ctx, node, req)
		return reply, false, err
	})
}

// fetchUnlessSilent is fetch where another node may answer as well.
func (r *Replica) fetchUnlessSilent(ctx context.Context, key mesh.Key, node mesh.NodeID, how depth) answer {
	return r.fetchBy(ctx, key, node, how, func(ctx context.Context, req wire.Message) (wire.Message, bool, error) {
		return r.Peers.CallUnlessSilent(ctx, node, req)
	})
}

func (r *Replica) fetchBy(ctx context.Context, key mesh.Key, node mesh.NodeID, how depth, ask func(context.Context, wire.Message) (wire.Message, bool, error)) answer {
	if node == r.Self {
		return r.own(ctx, key, how)
	}
	ctx, cancel := r.attempt(ctx, 0)
	defer cancel()
	m, silent, err := ask(ctx, &pb.Fetch{Key: wire.FromKey(key), Direct: how == direct, Complete: how == complete})
	reply, err := as[*pb.FetchReply](node, m, err)
	if err != nil {
		return answer{owner: node, err: err, silent: silent}
	}
	return toAnswer(node, reply)
}

func toAnswer(node mesh.NodeID, reply *pb.FetchReply) answer {
	a := answer{owner: node, notOwner: reply.NotOwner, settled: !reply.Unsettled}
	for _, owner := range reply.Owners {
		a.owners = append(a.owners, mesh.NodeID(owner))
	}
	if len(reply.Cell) > 0 {
		a.cell, a.err = lattice.DecodeCell(reply.Cell)
		a.found = a.err == nil
	}
	return a
}

// maxAsked bounds the nodes that are asked of a key, with those that were
// named by nodes that own it no more.
const maxAsked = 4 * MaxReplicas

// MaxReplicas is how many owners a key can have.
const MaxReplicas = 16

// fetchAll asks nodes at once, and the owners that they name instead of
// themselves, and gives the answers as they come. When the loop ends early,
// the rest is cancelled.
func (r *Replica) fetchAll(ctx context.Context, key mesh.Key, nodes []mesh.NodeID, how depth) iter.Seq[answer] {
	return r.fetchAllBy(ctx, key, nodes, how, r.fetch)
}

// fetcher is fetch or fetchUnlessSilent.
type fetcher func(ctx context.Context, key mesh.Key, node mesh.NodeID, how depth) answer

func (r *Replica) fetchAllBy(ctx context.Context, key mesh.Key, nodes []mesh.NodeID, how depth, fetch fetcher) iter.Seq[answer] {
	return func(yield func(answer) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		asked := make(map[mesh.NodeID]struct{}, len(nodes))
		answers := make(chan answer, maxAsked)
		ask := func(nodes []mesh.NodeID) {
			for _, node := range nodes {
				if _, already := asked[node]; already || len(asked) == maxAsked {
					continue
				}
				asked[node] = struct{}{}
				if !r.spawn(func() { answers <- fetch(ctx, key, node, how) }) {
					answers <- answer{owner: node, err: mesh.Errorf(mesh.Unavailable, "", "this node is stopping")}
				}
			}
		}
		ask(nodes)
		for heard := 0; heard < len(asked); heard++ {
			a := <-answers
			ask(a.owners)
			if !yield(a) {
				return
			}
		}
	}
}
