package replica

import (
	"context"
	"iter"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// answer is what one owner says of a key. A deleted cell is found, too.
type answer struct {
	owner mesh.NodeID
	cell  lattice.Cell
	found bool
	err   error
}

// fetch asks one owner, which may be this node.
func (r *Replica) fetch(ctx context.Context, key mesh.Key, owner mesh.NodeID) answer {
	if owner == r.Self {
		cell, found, err := r.Local.Get(key)
		return answer{owner, cell, found, err}
	}
	ctx, cancel := r.attempt(ctx, 0)
	defer cancel()
	reply, err := call[*pb.FetchReply](ctx, r.Peers, owner, &pb.Fetch{Key: wire.FromKey(key)})
	if err != nil || len(reply.Cell) == 0 {
		return answer{owner: owner, err: err}
	}
	cell, err := lattice.DecodeCell(reply.Cell)
	return answer{owner, cell, err == nil, err}
}

// fetchAll asks all owners at once and gives their answers as they come.
// When the loop ends early, the rest is cancelled.
func (r *Replica) fetchAll(ctx context.Context, key mesh.Key, owners []mesh.NodeID) iter.Seq[answer] {
	return func(yield func(answer) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		answers := make(chan answer, len(owners))
		for _, owner := range owners {
			if !r.spawn(func() { answers <- r.fetch(ctx, key, owner) }) {
				answers <- answer{owner: owner, err: mesh.Errorf(mesh.Unavailable, "", "this node is stopping")}
			}
		}
		for range owners {
			if !yield(<-answers) {
				return
			}
		}
	}
}

// ballot decides whether a key that nobody was seen to hold does not exist.
type ballot struct {
	owners  int
	missing int
	last    error
}

func (b *ballot) count(a answer) {
	if a.err != nil {
		b.last = a.err
	} else if !a.found {
		b.missing++
	}
}

// verdict is nil if most owners say that the key is missing.
func (b *ballot) verdict() error {
	switch {
	case 2*b.missing > b.owners:
		return nil
	case b.last == nil:
		return mesh.Errorf(mesh.Unavailable, "", "the key has no owners that could be asked")
	}
	return mesh.Errorf(mesh.Unavailable, "", "%d of %d owners know nothing of the key, and the others did not answer: %w", b.missing, b.owners, b.last)
}
