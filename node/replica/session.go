package replica

import (
	"context"
	"slices"
	"time"

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
	return &pb.GetReply{Cell: cell.AppendBinary(nil), Owners: r.ownersToTell(r.owners(key))}, nil
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
	if err := r.home(op); err != nil {
		return cell, err
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

// readConfirmed reads from most of those that own the key, or would if they
// were not away, and brings those that are behind up to date before it answers.
func (r *Replica) readConfirmed(ctx context.Context, key mesh.Key, quorum int) (merged lattice.Cell, needed int, err error) {
	known := r.knownOwners(key)
	needed = max(quorum, len(known)/2+1)
	var answers []answer
	var last error
	for answer := range r.fetchAll(ctx, key, r.mayOwn(key, known), complete) {
		if answer.err != nil {
			last = answer.err
			continue
		}
		if _, err := merged.Merge(answer.cell); err != nil {
			return merged, needed, kindsDiffer(err)
		}
		if answer.counts() && slices.Contains(known, answer.owner) {
			answers = append(answers, answer)
		}
		if len(answers) == needed {
			break
		}
	}
	confirmed := 0
	for _, a := range answers {
		if err := r.confirmAt(ctx, key, merged, a); err == nil {
			confirmed++
		} else {
			last = err
		}
	}
	if confirmed < needed {
		return merged, needed, mesh.Errorf(mesh.Unavailable, "", "%d of %d owners must hold what is read, %d do: %v", needed, len(known), confirmed, last)
	}
	return merged, needed, nil
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

// follows reports whether a change is to come after something.
func (c change) follows() bool { return c.most || !c.after.IsZero() }

// reach brings this node's copy to where it has what a change is to come
// after. Nothing of what the client sent is merged: it has to be found.
func (r *Replica) reach(ctx context.Context, c change, others []mesh.NodeID) error {
	if c.most {
		cell, _, err := r.readConfirmed(ctx, c.key, 0)
		if err == nil && !cell.IsZero() {
			_, err = r.mergeWhole(ctx, c.key, cell, mesh.Memory)
		}
		if err != nil {
			return mesh.AsError(c.String(), err)
		}
	}
	for _, fetch := range []fetcher{nil, r.fetchUnlessSilent, r.fetch} {
		if reached, err := r.reached(c); reached || err != nil {
			return err
		}
		if fetch != nil {
			if _, err := r.fillBy(ctx, c, others, fetch); err != nil {
				return err
			}
		}
	}
	if reached, err := r.reached(c); reached || err != nil {
		return err
	}
	return mesh.Errorf(mesh.Unavailable, c.String(), "no owner that answers has what the session has seen")
}

func (r *Replica) reached(c change) (bool, error) {
	if c.after.IsZero() {
		return true, nil
	}
	cell, held, err := r.Local.Get(c.key)
	if !held && c.after.Deleted() && r.CollectAfter > 0 && time.Since(c.after.ResetAt().Physical()) > r.CollectAfter {
		return true, err // the mark is forgotten, and what is written now is later
	}
	order := c.after.Compare(cell)
	return order == lattice.Less || order == lattice.Equal, err
}

// follow makes the delta of a change, which was applied, take along what the
// change comes after. This node's copy has that. A register needs no more
// than its stamp, which is later, unless a transaction has drawn that.
func (r *Replica) follow(c change, w *recentWrite) error {
	if !c.follows() {
		return nil
	}
	w.delta = w.delta.Clone()
	if value, _ := w.delta.Value(); c.most && (value.Kind() != lattice.LWWKind || !c.at.IsZero()) {
		whole, _, err := r.Local.Get(c.key)
		if err != nil {
			return err
		}
		w.delta, w.adds = whole.Clone(), false
	}
	_, err := w.delta.Merge(c.after)
	return err
}

// tell gives the delta to who asked for it, unless it is too long, or of a
// part of what the session knows.
func (c change) tell(delta lattice.Cell) {
	if c.made != nil && c.tellable(delta) {
		*c.made = delta
	}
}

func (c change) tellable(delta lattice.Cell) bool {
	return c.whole == nil && len(delta.AppendBinary(nil)) <= c.tells
}

// neededToTell is who must hold a write: of one that a session has to be told
// of and cannot be, most of those that would own the key if nobody was away.
func (r *Replica) neededToTell(c change, w *recentWrite, q quorum) (quorum, error) {
	if !c.most && (c.made == nil || c.tellable(w.delta)) {
		return q, nil
	}
	return q.ofMost(c)
}

// making is where a write is to put what it has made, and how long that may
// be, if a client asks for it.
func making(tellBytes uint32) (made *lattice.Cell, tells int) {
	if tellBytes == 0 {
		return nil, 0
	}
	return &lattice.Cell{}, int(min(tellBytes, maxTold))
}

// maxTold bounds what a client is told of a write, in bytes.
const maxTold = 64 << 10

// telling adds to a reply what the write has made, as far as that was asked for.
func telling(reply *pb.PutReply, o WriteOptions) *pb.PutReply {
	if o.Made != nil && !o.Made.IsZero() {
		reply.Cell = o.Made.AppendBinary(nil)
	}
	if o.Wrote != nil {
		reply.Wrote = o.Wrote.Made().AppendBinary(nil)
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
