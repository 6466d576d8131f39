package replica

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// A collection that has grown beyond some hundred elements or fields is
// divided: new ones go into parts, which are keys of their own beside it
// (mesh.Key.Part), so that adding one costs a part and not the whole. What
// was there stays in the base, the cell of the collection's own key. What the
// collection holds is what the base and the parts merge to; a part counts
// only while its reset is the base's, so that a delete of the base deletes all.
//
// Nodes need not agree on when a collection is divided: a name may be in the
// base for one and in a part for another, and the merge of both is right.

// errCollectionDeleted is that a change of a part must find its place anew.
var errCollectionDeleted = errors.New("the collection was deleted while it was written")

// changeCollection coordinates a change of a collection, divided or not.
func (r *Replica) changeCollection(ctx context.Context, c change, q quorum, o WriteOptions) (mesh.Ack, error) {
	for range maxReapplications {
		parts, err := r.divided(ctx, c, q)
		switch {
		case err != nil:
			return mesh.Ack{}, err
		case len(parts) == 0:
			return r.coordinateChange(ctx, c, q, o)
		case c.follows():
			return mesh.Ack{}, mesh.Errorf(mesh.Invalid, c.String(), "the collection is stored in parts: expected a smaller one for a session whose writes follow others")
		}
		ack, err := r.changeParts(ctx, parts, q, o)
		if !errors.Is(err, errCollectionDeleted) {
			return ack, err
		}
	}
	return mesh.Ack{}, mesh.Errorf(mesh.Conflict, c.String(), "the key was deleted by others %d times while it was written", maxReapplications)
}

// divided gives the changes of the parts that a change of a collection comes
// down to, with a change of the base where it is among them; none where the
// collection is not divided.
func (r *Replica) divided(ctx context.Context, c change, q quorum) ([]change, error) {
	base, err := r.base(ctx, c, q)
	if err == nil {
		err = c.inTime(time.Now())
	}
	if err != nil || !base.divided {
		return nil, err
	}
	if !base.mark.IsZero() {
		if _, err := r.Local.Merge(ctx, c.key, lattice.NewCell(base.reset, base.mark), mesh.Memory); err != nil {
			return nil, err
		}
	}
	var changes []change
	if base.anyHeld {
		changes = append(changes, putting(change{key: c.key, kind: c.kind, op: base.held, ttl: c.ttl, causes: c.causes, untold: c.untold, wrote: c.wrote}))
	} else if c.ttl > 0 {
		changes = append(changes, touching(change{key: c.key, ttl: c.ttl}))
	}
	if base.anyOther {
		byPart, _ := base.others.Divide(mesh.PartOf)
		for part, op := range byPart {
			changes = append(changes, change{key: c.key.Part(part), whole: &c.key, kind: c.kind, op: op, causes: c.causes, untold: c.untold, wrote: c.wrote})
		}
	}
	return changes, nil
}

// collectionBase is what a change of a collection must know of its base.
type collectionBase struct {
	divided           bool
	reset             lattice.Stamp
	mark              lattice.Value // to merge into the base, which becomes divided now
	held, others      lattice.Op    // of the base's elements; and of the parts'
	anyHeld, anyOther bool
}

// base looks at the base of a collection. A node that never heard of the
// key asks the other owners first: where the elements are decides what a
// removal finds.
func (r *Replica) base(ctx context.Context, c change, q quorum) (b collectionBase, err error) {
	expired := false
	look := func(cell *lattice.Cell) { b, expired = baseOf(cell, c), cell.Expired(time.Now) }
	held, err := r.Local.View(c.key, look)
	others := r.others(q.owners)
	switch {
	case err != nil || held && !expired || !held && len(others) == 0:
		return b, err
	case expired:
		err = r.beginAnew(ctx, c.key)
	default:
		err = r.fill(ctx, c, others, q.need)
	}
	if err == nil {
		_, err = r.Local.View(c.key, look)
	}
	return b, err
}

func baseOf(cell *lattice.Cell, c change) collectionBase {
	v, ok := cell.Value()
	if !ok || v.Kind() != c.kind || cell.Expired(time.Now) {
		return collectionBase{} // the change itself finds out
	}
	b := collectionBase{reset: cell.ResetAt(), divided: v.Divided()}
	if mark, now := v.Dividing(); now {
		b.mark, b.divided = mark, true
	}
	if !b.divided {
		return b
	}
	b.held, b.others, b.anyHeld, b.anyOther = c.op.Among(v)
	if verb := c.op.Verb(); verb == lattice.VerbRemove || verb == lattice.VerbDrop {
		b.others, b.anyOther = c.op, true // a name may be in a part as well
	}
	return b
}

// partsAtOnce bounds how many parts of one write are under way.
const partsAtOnce = 16

// changeParts makes the changes that a change of a divided collection comes
// down to. The answer is that of the weakest. When one fails, others may have taken effect.
func (r *Replica) changeParts(ctx context.Context, changes []change, q quorum, o WriteOptions) (mesh.Ack, error) {
	acks := make([]mesh.Ack, len(changes))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(partsAtOnce)
	for i, c := range changes {
		group.Go(func() (err error) {
			acks[i], err = r.coordinateChange(ctx, c, q, o)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return mesh.Ack{}, err
	}
	weakest := acks[0]
	for _, ack := range acks[1:] {
		weakest.Replicas = min(weakest.Replicas, ack.Replicas)
		weakest.Durability = min(weakest.Durability, ack.Durability)
	}
	return weakest, nil
}

// inherit makes a part that was deleted with its base, or is new, a part of
// the base as it is now.
func (r *Replica) inherit(ctx context.Context, part, whole mesh.Key) error {
	reset, divided, err := r.baseState(whole)
	switch {
	case err != nil:
		return err
	case !divided:
		return errCollectionDeleted
	case reset.IsZero():
		return nil
	}
	behind := true
	if _, err := r.Local.View(part, func(cell *lattice.Cell) { behind = reset.After(cell.ResetAt()) }); err != nil || !behind {
		return err
	}
	_, err = r.Local.Merge(ctx, part, lattice.NewCell(reset, lattice.Value{}), mesh.Memory)
	return err
}

// baseState gives when the collection was deleted last, and whether it is divided.
func (r *Replica) baseState(whole mesh.Key) (reset lattice.Stamp, divided bool, err error) {
	_, err = r.Local.View(whole, func(cell *lattice.Cell) {
		v, _ := cell.Value()
		reset, divided = cell.ResetAt(), v.Divided()
	})
	return reset, divided, err
}

// sweep deletes this node's copies of the parts of a collection whose base
// was deleted: so that they cannot come back when the base is forgotten.
func (r *Replica) sweep(ctx context.Context, whole mesh.Key, reset lattice.Stamp) error {
	for n := range uint16(mesh.Parts) {
		part, behind := whole.Part(n), false
		if _, err := r.Local.View(part, func(cell *lattice.Cell) { behind = reset.After(cell.ResetAt()) }); err != nil {
			return err
		}
		if !behind {
			continue
		}
		if _, err := r.Local.Merge(ctx, part, lattice.NewCell(reset, lattice.Value{}), mesh.Memory); err != nil {
			return err
		}
	}
	return nil
}

// deleteLocal deletes this node's copy of a key, and of its parts.
func (r *Replica) deleteLocal(ctx context.Context, c change) (lattice.Cell, mesh.Merged, error) {
	_, divided, err := r.baseState(c.key)
	if err != nil {
		return lattice.Cell{}, mesh.Merged{}, err
	}
	delta, merged, err := r.Local.Change(ctx, c.key, mesh.Memory, func(have lattice.Cell, at lattice.Write) (lattice.Cell, error) {
		if err := c.mayStamp(at.Stamp); err != nil {
			return lattice.Cell{}, err
		}
		return have.Deleting(c.stamped(at)), nil
	})
	if err == nil && divided {
		err = r.sweep(ctx, c.key, delta.ResetAt())
	}
	return delta, merged, err
}

// mergeWhole merges a delta that another node sent. Where that deletes a
// divided collection, its parts are deleted, too.
func (r *Replica) mergeWhole(ctx context.Context, key mesh.Key, delta lattice.Cell, d mesh.Durability) (mesh.Merged, error) {
	if delta.ResetAt().IsZero() {
		return r.Local.Merge(ctx, key, delta, d)
	}
	reset, divided, err := r.baseState(key)
	if err != nil {
		return mesh.Merged{}, err
	}
	if divided && delta.ResetAt().After(reset) {
		if err := r.sweep(ctx, key, delta.ResetAt()); err != nil {
			return mesh.Merged{}, err
		}
	}
	return r.Local.Merge(ctx, key, delta, d) // last, so that its durability is also that of the parts
}

// mergePart merges a delta of a part. A node that does not know that the
// collection is divided asks for its base: else a read there would not look for parts.
func (r *Replica) mergePart(ctx context.Context, part, whole mesh.Key, delta lattice.Cell, adds bool, d mesh.Durability) (*pb.MergeReply, error) {
	reset, divided, err := r.baseState(whole)
	if err != nil {
		return nil, err
	}
	if reset.After(delta.Began()) {
		deleted := lattice.NewCell(reset, lattice.Value{})
		return &pb.MergeReply{Dominated: true, Cell: deleted.AppendBinary(nil)}, nil
	}
	merged, err := r.Local.Merge(ctx, part, delta, d)
	if err != nil {
		return nil, err
	}
	reply := &pb.MergeReply{Durability: uint32(merged.Durability), LacksBase: merged.Created && adds || !divided}
	if merged.Dominated {
		return r.dominated(part, reply)
	}
	return reply, nil
}

// sendWhole sends this node's copy of a collection's base to an owner.
func (r *Replica) sendWhole(ctx context.Context, owner mesh.NodeID, whole mesh.Key, durability uint32) error {
	base, held, err := r.Local.Get(whole)
	if err != nil || !held {
		return err
	}
	_, err = call[*pb.MergeReply](ctx, r.Peers, owner, &pb.Merge{
		Key: wire.FromKey(whole), Delta: base.AppendBinary(nil), Durability: durability,
	})
	return err
}
