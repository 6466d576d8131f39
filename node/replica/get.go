package replica

import (
	"cmp"
	"context"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Get reads a key: from this node's copy if it owns the key, else from the
// cache, else from the closest owner that answers. A quorum above 1 merges
// what that many owners hold, and brings those that held less up to date. The
// value must not be changed.
//
// A key is mesh.NotFound when most of its owners say so. It is
// mesh.Unavailable when too few answer to tell.
//
// A quorum of 0 is the node's default.
func (r *Replica) Get(ctx context.Context, key mesh.Key, quorum int) (lattice.Value, error) {
	cell, err := r.getCell(ctx, key, quorum)
	if err != nil {
		return lattice.Value{}, err
	}
	value, _ := cell.Value()
	if value.Divided() {
		return r.whole(ctx, key, cell, quorum)
	}
	return value, nil
}

// getCell reads the cell of a key that exists.
func (r *Replica) getCell(ctx context.Context, key mesh.Key, quorum int) (lattice.Cell, error) {
	if err := key.Validate(); err != nil {
		return lattice.Cell{}, err
	}
	if quorum < 0 || quorum > r.Replicas {
		return lattice.Cell{}, mesh.Errorf(mesh.Invalid, "get "+key.String(), "read quorum %d: expected 1 to %d, the number of owners", quorum, r.Replicas)
	}
	cell, found, err := r.read(ctx, key, cmp.Or(quorum, r.ReadQuorum))
	if err != nil {
		return lattice.Cell{}, mesh.AsError("get "+key.String(), err)
	}
	if _, exists := cell.Value(); !found || !exists {
		return lattice.Cell{}, mesh.Errorf(mesh.NotFound, "get "+key.String(), "no such key")
	}
	return cell, nil
}

func (r *Replica) read(ctx context.Context, key mesh.Key, quorum int) (lattice.Cell, bool, error) {
	switch {
	case quorum > 1:
		return r.readQuorum(ctx, key, r.owners(key), quorum)
	case r.Placement.Owns(key, r.Replicas):
		return r.readAsOwner(ctx, key)
	case r.Cache == nil:
		return r.readFrom(ctx, key, r.owners(key))
	}
	if cell, ok := r.Cache.Get(key); ok {
		return cell, true, nil
	}
	return r.Cache.Fetch(ctx, key, r.owners(key))
}

// readAsOwner gives this node's copy. Where there is none, or it is damaged,
// the others are asked, and what they hold is kept.
func (r *Replica) readAsOwner(ctx context.Context, key mesh.Key) (lattice.Cell, bool, error) {
	cell, found, err := r.Local.Get(key)
	if found {
		return cell, true, nil
	}
	owners := r.owners(key)
	others := r.others(owners)
	if len(others) == 0 {
		return cell, false, err
	}
	votes := ballot{owners: len(owners)}
	votes.count(answer{err: err})
	for answer := range r.fetchAll(ctx, key, others) {
		if answer.found {
			return answer.cell, true, r.keep(ctx, key, answer.cell)
		}
		votes.count(answer)
	}
	return lattice.Cell{}, false, votes.verdict()
}

// keep merges into this node's copy what was read elsewhere.
func (r *Replica) keep(ctx context.Context, key mesh.Key, cell lattice.Cell) error {
	if _, err := r.Local.Merge(ctx, key, cell, mesh.Memory); err != nil {
		r.Log.Warn("cannot keep what another owner holds", "key", key.String(), "err", err)
	}
	return ctx.Err()
}

// readFrom asks owner after owner.
func (r *Replica) readFrom(ctx context.Context, key mesh.Key, owners []mesh.NodeID) (lattice.Cell, bool, error) {
	votes := ballot{owners: len(owners)}
	for _, owner := range owners {
		answer := r.fetch(ctx, key, owner)
		if answer.found || ctx.Err() != nil {
			return answer.cell, answer.found, answer.err
		}
		votes.count(answer)
	}
	return lattice.Cell{}, false, votes.verdict()
}

// readQuorum merges what quorum owners hold.
func (r *Replica) readQuorum(ctx context.Context, key mesh.Key, owners []mesh.NodeID, quorum int) (merged lattice.Cell, found bool, err error) {
	if quorum > len(owners) {
		return merged, false, mesh.Errorf(mesh.Unavailable, "", "%d owners must answer, %d live", quorum, len(owners))
	}
	var answers []answer
	votes := ballot{owners: len(owners)}
	for answer := range r.fetchAll(ctx, key, owners) {
		if votes.count(answer); answer.err != nil {
			continue
		}
		if _, err := merged.Merge(answer.cell); err != nil {
			return merged, false, mesh.Errorf(mesh.Conflict, "", "owners hold the key with different kinds: %w", err)
		}
		if answers = append(answers, answer); len(answers) == quorum {
			r.repair(key, merged, answers)
			return merged, !merged.IsZero(), nil
		}
	}
	return merged, false, mesh.Errorf(mesh.Unavailable, "", "%d owners must answer, %d did: %w", quorum, len(answers), votes.last)
}

// repair brings owners whose answer lacked something up to date, beside the caller.
func (r *Replica) repair(key mesh.Key, merged lattice.Cell, answers []answer) {
	var stale []mesh.NodeID
	for _, a := range answers {
		if a.cell.Compare(merged) != lattice.Equal {
			stale = append(stale, a.owner)
		}
	}
	if len(stale) == 0 {
		return
	}
	merge := &pb.Merge{Key: wire.FromKey(key), Delta: merged.AppendBinary(nil), Durability: uint32(r.Durability)}
	for _, owner := range stale {
		r.spawn(func() {
			ctx, cancel := r.attempt(r.background, len(merge.Delta))
			defer cancel()
			if err := r.repairOne(ctx, owner, key, merged, merge); err != nil {
				r.Log.Info("read repair", "node", owner.Short(), "key", key.String(), "err", err)
				return
			}
			r.repaired.Add(1)
		})
	}
}

func (r *Replica) repairOne(ctx context.Context, owner mesh.NodeID, key mesh.Key, merged lattice.Cell, m *pb.Merge) error {
	if owner == r.Self {
		_, err := r.Local.Merge(ctx, key, merged, r.Durability)
		return err
	}
	_, err := r.Peers.Call(ctx, owner, m)
	return err
}
