package replica

import (
	"cmp"
	"context"
	"slices"

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
// A key is mesh.NotFound when so many of its owners, those that are away
// included, say so that no acknowledged write can be with the others alone. It
// is mesh.Unavailable when too few answer to tell.
//
// A quorum of 0 is the node's default.
func (r *Replica) Get(ctx context.Context, key mesh.Key, quorum int) (lattice.Value, error) {
	value, _, err := r.GetHere(ctx, key, quorum)
	return value, err
}

// GetHere is Get, and tells whether this node had the key at hand: as an
// owner, or in its cache. What a quorum is asked for comes from others.
func (r *Replica) GetHere(ctx context.Context, key mesh.Key, quorum int) (value lattice.Value, here bool, err error) {
	cell, here, err := r.getCellHere(ctx, key, quorum)
	if err != nil {
		return lattice.Value{}, here, err
	}
	value, err = r.valueOf(ctx, key, cell, quorum)
	return value, here && !value.Divided(), err
}

// valueOf gives what a key holds whose own cell was read.
func (r *Replica) valueOf(ctx context.Context, key mesh.Key, cell lattice.Cell, quorum int) (lattice.Value, error) {
	value, _ := cell.Value()
	if value.Divided() {
		return r.whole(ctx, key, cell, cmp.Or(quorum, r.ReadQuorum))
	}
	return value, nil
}

// getCell reads the cell of a key that exists.
func (r *Replica) getCell(ctx context.Context, key mesh.Key, quorum int) (lattice.Cell, error) {
	cell, _, err := r.getCellHere(ctx, key, quorum)
	return cell, err
}

func (r *Replica) getCellHere(ctx context.Context, key mesh.Key, quorum int) (cell lattice.Cell, here bool, err error) {
	if err := key.Validate(); err != nil {
		return lattice.Cell{}, false, err
	}
	if quorum < 0 || quorum > r.Replicas {
		return lattice.Cell{}, false, mesh.Errorf(mesh.Invalid, "get "+key.String(), "read quorum %d: expected 1 to %d, the number of owners", quorum, r.Replicas)
	}
	if err := r.home("get"); err != nil {
		return lattice.Cell{}, false, err
	}
	if err := r.caughtUp(ctx, key); err != nil {
		return lattice.Cell{}, false, err
	}
	cell, found, here, err := r.readHere(ctx, key, cmp.Or(quorum, r.ReadQuorum))
	if err != nil {
		return lattice.Cell{}, false, mesh.AsError("get "+key.String(), err)
	}
	if !found || !exists(cell) {
		return lattice.Cell{}, false, mesh.Errorf(mesh.NotFound, "get "+key.String(), "no such key")
	}
	return cell, here, nil
}

func (r *Replica) read(ctx context.Context, key mesh.Key, quorum int) (cell lattice.Cell, found bool, err error) {
	cell, found, _, err = r.readHere(ctx, key, quorum)
	return cell, found, err
}

// readHere reads a cell, and tells whether this node had it at hand.
func (r *Replica) readHere(ctx context.Context, key mesh.Key, quorum int) (cell lattice.Cell, found, here bool, err error) {
	switch {
	case quorum > 1:
		cell, found, err = r.readQuorum(ctx, key, quorum)
		return cell, found, false, err
	case r.Placement.Owns(key, r.Replicas):
		return r.readOwned(ctx, key)
	case r.Cache == nil:
		cell, found, err = r.readFrom(ctx, key, r.owners(key))
		return cell, found, false, err
	}
	r.countRead(key, false)
	if cell, found = r.Cache.Get(key); exists(cell) {
		return cell, found, true, nil
	}
	if cell, found, err = r.Cache.Fetch(ctx, key, r.inTurn(key, r.owners(key))); err != nil || exists(cell) {
		return cell, found, false, err
	}
	cell, found, err = r.search(ctx, key, cell)
	return cell, found, false, err
}

// readOwned is readHere of a key that this node owns.
func (r *Replica) readOwned(ctx context.Context, key mesh.Key) (cell lattice.Cell, found, here bool, err error) {
	r.countRead(key, true)
	if cell, _, err := r.Local.Get(key); err == nil && exists(cell) {
		return cell, true, true, nil
	}
	cell, found, err = r.search(ctx, key, lattice.Cell{})
	return cell, found, false, err
}

// readFrom asks owner after owner, and all of them when one has no living copy.
func (r *Replica) readFrom(ctx context.Context, key mesh.Key, owners []mesh.NodeID) (lattice.Cell, bool, error) {
	for _, owner := range owners {
		answer := r.fetchUnlessSilent(ctx, key, owner, living)
		if ctx.Err() != nil {
			return lattice.Cell{}, false, ctx.Err()
		}
		if answer.err == nil {
			if exists(answer.cell) {
				return answer.cell, true, nil
			}
			return r.search(ctx, key, answer.cell)
		}
	}
	return r.search(ctx, key, lattice.Cell{})
}

// search looks for a key of which no living copy is at hand at all nodes that
// may own it. What is known of it so far is held. An owner keeps what it learns.
// Nodes of which nothing is heard are waited for only where they are needed to tell.
func (r *Replica) search(ctx context.Context, key mesh.Key, held lattice.Cell) (cell lattice.Cell, found bool, err error) {
	for _, fetch := range []fetcher{r.fetchUnlessSilent, r.fetch} {
		var silent bool
		cell, found, silent, err = r.searchBy(ctx, key, held, fetch)
		if err == nil || !silent {
			break
		}
	}
	return cell, found, err
}

func (r *Replica) searchBy(ctx context.Context, key mesh.Key, held lattice.Cell, fetch fetcher) (cell lattice.Cell, found, silent bool, err error) {
	held = held.Clone()
	votes := r.newBallot(key)
	for answer := range r.fetchAllBy(ctx, key, r.mayOwn(key, votes.known), living, fetch) {
		votes.count(answer)
		silent = silent || answer.silent
		if answer.err != nil || !answer.found {
			continue
		}
		if _, err := held.Merge(answer.cell); err != nil {
			return lattice.Cell{}, false, false, kindsDiffer(err)
		}
		if answer.owner != r.Self && r.Placement.Owns(key, r.Replicas) {
			r.keep(ctx, key, answer.cell)
		}
		if exists(held) {
			return held, true, silent, ctx.Err()
		}
	}
	return held, !held.IsZero(), silent, votes.verdict()
}

func kindsDiffer(err error) error {
	return mesh.Errorf(mesh.Conflict, "", "owners hold the key with different kinds: %w", err)
}

// mayOwn are the live nodes that own a key, or would but for others that are away.
func (r *Replica) mayOwn(key mesh.Key, known []mesh.NodeID) []mesh.NodeID {
	nodes := slices.Clone(r.owners(key))
	for _, id := range known {
		if !slices.Contains(nodes, id) && slices.Contains(r.Placement.Live(), id) {
			nodes = append(nodes, id)
		}
	}
	return nodes
}

// keep merges into this node's copy what was read elsewhere: logged, since from
// now on others are told that this node holds it.
func (r *Replica) keep(ctx context.Context, key mesh.Key, cell lattice.Cell) {
	if _, err := r.Local.Merge(ctx, key, cell, mesh.Logged); err != nil {
		r.Log.Warn("cannot keep what another node holds", "key", key.String(), "err", err)
	}
}

// readQuorum merges what quorum owners hold, so many known owners among them
// that it sees what was acknowledged, if it is that large. Where that is
// nothing, it takes as many as can tell that the key does not exist.
func (r *Replica) readQuorum(ctx context.Context, key mesh.Key, quorum int) (merged lattice.Cell, found bool, err error) {
	owners := r.owners(key)
	if quorum > len(owners) {
		return merged, false, mesh.Errorf(mesh.Unavailable, "", "%d owners must answer, %d live", quorum, len(owners))
	}
	var answers []answer
	counted := 0
	votes := r.newBallot(key)
	ofKnown := min(quorum, r.lookQuorum(len(votes.known)))
	for answer := range r.fetchAll(ctx, key, owners, complete) {
		if votes.count(answer); answer.err != nil {
			continue
		}
		if _, err := merged.Merge(answer.cell); err != nil {
			return merged, false, kindsDiffer(err)
		}
		if answers = append(answers, answer); answer.counts() {
			counted++
		}
		if counted >= quorum && votes.heard >= ofKnown && exists(merged) {
			r.repair(key, merged, answers)
			return merged, true, nil
		}
	}
	switch {
	case counted < quorum:
		return merged, false, mesh.Errorf(mesh.Unavailable, "", "%d owners must answer, %d did: %w", quorum, counted, votes.last)
	case votes.heard < ofKnown:
		return merged, false, mesh.Errorf(mesh.Unavailable, "", "%d of %d owners must answer, and of these %d did: others only stand in", ofKnown, len(votes.known), votes.heard)
	}
	r.repair(key, merged, answers)
	return merged, false, votes.verdict()
}

// repair brings owners whose answer lacked something up to date, beside the caller.
func (r *Replica) repair(key mesh.Key, merged lattice.Cell, answers []answer) {
	var stale []mesh.NodeID
	for _, a := range answers {
		if !a.notOwner && a.cell.Compare(merged) != lattice.Equal {
			stale = append(stale, a.owner)
		}
	}
	if len(stale) == 0 {
		return
	}
	merge := r.repairing(key, merged)
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

func (r *Replica) repairing(key mesh.Key, merged lattice.Cell) *pb.Merge {
	return &pb.Merge{Key: wire.FromKey(key), Delta: merged.AppendBinary(nil), Durability: uint32(r.lasting())}
}

func (r *Replica) repairOne(ctx context.Context, owner mesh.NodeID, key mesh.Key, merged lattice.Cell, m *pb.Merge) error {
	if owner == r.Self {
		_, err := r.Local.Merge(ctx, key, merged, r.lasting())
		return err
	}
	_, err := r.Peers.Call(ctx, owner, m)
	return err
}
