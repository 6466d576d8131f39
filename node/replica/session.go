package replica

import (
	"context"
	"math"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// What the guarantees of a client's session need of the nodes: reads that
// give the whole cell, and can be confirmed at most owners; writes that tell
// what they have made, and that are made after something else. The session
// itself travels with the client (package sdk).

// getForSession answers with the cell.
func (r *Replica) getForSession(ctx context.Context, key mesh.Key, m *pb.Get) (*pb.GetReply, error) {
	cell, err := r.GetCell(ctx, key, int(m.Quorum), m.Confirm)
	if err != nil {
		return nil, err
	}
	return &pb.GetReply{Cell: cell.AppendBinary(nil), Owners: r.ownersToTell(key)}, nil
}

// GetCell reads like Get. Of a key that was deleted it gives the mark of that,
// of one that is missing the zero cell. With confirm most owners, those that
// are away included, hold what is answered before it is, so that whoever asks
// most owners afterwards sees it (Attiya, Bar-Noy and Dolev, "Sharing Memory
// Robustly in Message-Passing Systems", 1995).
func (r *Replica) GetCell(ctx context.Context, key mesh.Key, quorum int, confirm bool) (cell lattice.Cell, err error) {
	op := "get " + key.String()
	if err := key.Validate(); err != nil {
		return cell, err
	}
	if quorum < 0 || quorum > r.Replicas {
		return cell, mesh.Errorf(mesh.Invalid, op, "read quorum %d: expected 1 to %d, the number of owners", quorum, r.Replicas)
	}
	if confirm {
		cell, quorum, err = r.readConfirmed(ctx, key, quorum)
	} else {
		cell, _, err = r.read(ctx, key, max(quorum, 1))
	}
	if err != nil {
		return lattice.Cell{}, mesh.AsError(op, err)
	}
	value, _ := cell.Value()
	if !value.Divided() {
		return cell, nil
	}
	if value, err = r.whole(ctx, key, cell, quorum); err != nil {
		return lattice.Cell{}, err
	}
	return lattice.NewCell(cell.ResetAt(), value), nil
}

// readConfirmed reads from most owners, and brings those that are behind up
// to date before it answers.
func (r *Replica) readConfirmed(ctx context.Context, key mesh.Key, quorum int) (lattice.Cell, int, error) {
	quorum = max(quorum, len(r.Placement.KnownOwners(key.Partition(), r.Replicas))/2+1)
	merged, answers, err := r.collect(ctx, key, r.owners(key), quorum)
	if err != nil {
		return merged, quorum, err
	}
	confirmed := 0
	var last error
	for _, a := range answers {
		if !a.counts() {
			continue
		}
		if last = r.confirmAt(ctx, key, merged, a); last == nil {
			confirmed++
		}
	}
	if confirmed < quorum {
		return merged, quorum, mesh.Errorf(mesh.Unavailable, "", "%d owners must hold what is read, %d do: %w", quorum, confirmed, last)
	}
	return merged, quorum, nil
}

// confirmAt sees to it that an owner holds at least so much.
func (r *Replica) confirmAt(ctx context.Context, key mesh.Key, merged lattice.Cell, a answer) error {
	if a.cell.Compare(merged) == lattice.Equal {
		return nil
	}
	merge := r.repairing(key, merged)
	ctx, cancel := r.attempt(ctx, len(merge.Delta))
	defer cancel()
	return r.repairOne(ctx, a.owner, key, merged, merge)
}

// reach brings this node's copy to where it has what a change is to come
// after. Nothing of what the client sent is merged: it has to be found.
func (r *Replica) reach(ctx context.Context, c change, others []mesh.NodeID) error {
	if c.after.IsZero() {
		return nil
	}
	for _, fetch := range []fetcher{nil, r.fetchUnlessSilent, r.fetch} {
		if fetch != nil {
			if _, err := r.fillBy(ctx, c, others, fetch); err != nil {
				return err
			}
		}
		cell, _, err := r.Local.Get(c.key)
		if err != nil {
			return err
		}
		if order := c.after.Compare(cell); order == lattice.Less || order == lattice.Equal {
			return nil
		}
	}
	return mesh.Errorf(mesh.Unavailable, c.String(), "no owner that answers has what the session has seen")
}

// follow adds to the delta of a change what it comes after. This node's copy has that.
func (c change) follow(delta *lattice.Cell) error {
	if c.after.IsZero() {
		return nil
	}
	*delta = delta.Clone()
	_, err := delta.Merge(c.after)
	return err
}

// tell gives the delta to who asked for it.
func (c change) tell(delta lattice.Cell) {
	if c.made != nil {
		*c.made = delta
	}
}

// making is where a write is to put what it has made, if a client asks for it.
func making(tellBytes uint32) *lattice.Cell {
	if tellBytes == 0 {
		return nil
	}
	return &lattice.Cell{}
}

// tellBytes asks an owner for what a write makes.
func tellBytes(made *lattice.Cell) uint32 {
	if made == nil {
		return 0
	}
	return math.MaxUint32
}

// tell adds to a reply what the write has made, unless that is longer than is asked for.
func (r *Replica) tell(reply *pb.PutReply, made *lattice.Cell, tellBytes uint32) *pb.PutReply {
	if made == nil || made.IsZero() {
		return reply
	}
	if encoded := made.AppendBinary(nil); uint64(len(encoded)) <= uint64(tellBytes) {
		reply.Cell = encoded
	}
	return reply
}

func encodeAfter(after lattice.Cell) []byte {
	if after.IsZero() {
		return nil
	}
	return after.AppendBinary(nil)
}

func decodeAfter(raw []byte) (lattice.Cell, error) {
	if len(raw) == 0 {
		return lattice.Cell{}, nil
	}
	after, err := lattice.DecodeCell(raw)
	if err != nil {
		return after, mesh.Errorf(mesh.Invalid, "put", "what it comes after: %w", err)
	}
	return after, nil
}
