package replica

import (
	"context"
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Aside is where a node puts what it holds and may have been deleted while it
// was away.
type Aside interface {
	// Keep keeps a record.
	Keep(mesh.Record) error
	// Finish returns when all is safe, and says where.
	Finish() (where string, err error)
	// Abandon gives up; what was kept is of no use.
	Abandon()
}

// isAway reports whether this node comes back after the mesh gave it up, and
// has yet to find out what was deleted for good meanwhile. As long as it
// lives alone that does not matter.
func (r *Replica) isAway() bool {
	return r.Returned != nil && r.Returned() && len(r.Placement.Live()) > 1
}

// home is an error while this node is away: what it holds is shown to nobody,
// and merged with nothing.
func (r *Replica) home(op string) error {
	if !r.isAway() {
		return nil
	}
	return mesh.Errorf(mesh.Unavailable, op, "this node was away for long, and has yet to set aside what was deleted meanwhile")
}

// comeHome learns from each node that comes into sight which marks of deletes may
// have been forgotten. If this node was away, it sets aside what it holds from before.
func (r *Replica) comeHome(ctx context.Context) {
	asked := map[mesh.NodeID]bool{}
	for wait := syncRetry; ; {
		err := r.meet(ctx, asked)
		var again <-chan time.Time
		if err == nil {
			wait = syncRetry
		} else {
			r.Log.Debug("it is not known yet what was deleted for good meanwhile", "err", err)
			again = time.After(wait)
			wait = min(2*wait, r.RetryLongest)
		}
		select {
		case <-ctx.Done():
			return
		case <-r.sight:
		case <-again:
		}
	}
}

// meet asks the nodes in sight that were not asked yet.
func (r *Replica) meet(ctx context.Context, asked map[mesh.NodeID]bool) error {
	if !r.sync.joined.Load() {
		return nil
	}
	away := r.isAway()
	live := slices.Clone(r.Placement.Live())
	for id := range asked {
		if !slices.Contains(live, id) {
			delete(asked, id)
		}
	}
	floors := map[mesh.Partition]uint64{}
	for _, id := range r.others(live) {
		if asked[id] && !away {
			continue
		}
		told, err := r.floorsOf(ctx, id)
		if err != nil {
			return err
		}
		for _, d := range told {
			floors[d.partition] = max(floors[d.partition], d.digest)
		}
	}
	if away {
		if err := r.setAside(ctx, floors); err != nil {
			r.Log.Error("what may have been deleted while this node was away cannot be set aside", "err", err)
			return err
		}
	}
	for p, floor := range floors {
		if err := r.Local.RaiseFloor(p, floor); err != nil {
			return err
		}
	}
	for _, id := range live {
		asked[id] = true
	}
	if away {
		r.Reconciled()
		r.sync.stir()
	}
	return nil
}

// floorsOf asks a node. One of a version that does not know the question has none.
func (r *Replica) floorsOf(ctx context.Context, id mesh.NodeID) ([]partitionDigest, error) {
	ctx, cancel := r.attempt(ctx, mesh.Partitions*digestSize)
	defer cancel()
	reply, err := call[*pb.SyncFloorsReply](ctx, r.Peers, id, &pb.SyncFloors{})
	switch {
	case mesh.KindOf(err) == mesh.Invalid:
		return nil, nil
	case err != nil:
		return nil, err
	}
	return decodeDigests(reply.Floors)
}

// HandleSyncFloors tells another node up to when marks may have been forgotten.
func (r *Replica) HandleSyncFloors() *pb.SyncFloorsReply {
	var floors []partitionDigest
	for p := range mesh.Partition(mesh.Partitions) {
		if floor := r.Local.Floor(p); floor > 0 {
			floors = append(floors, partitionDigest{p, floor})
		}
	}
	return &pb.SyncFloorsReply{Floors: encodeDigests(floors)}
}

// setAside moves what this node holds of partitions whose marks were
// forgotten while it was away, and began before that: the other nodes have
// what is left of it. It is kept whole before the first of it is removed.
func (r *Replica) setAside(ctx context.Context, floors map[mesh.Partition]uint64) error {
	behind := map[mesh.Partition]uint64{}
	for p, floor := range floors {
		if floor > r.Local.Floor(p) {
			behind[p] = floor
		}
	}
	if len(behind) == 0 {
		return nil
	}
	aside, err := r.OpenAside()
	if err != nil {
		return err
	}
	kept := 0
	err = r.eachSuspect(ctx, behind, func(record mesh.Record) error {
		if record.Cell.Deleted() {
			return nil
		}
		kept++
		return aside.Keep(record)
	})
	if err != nil {
		aside.Abandon()
		return err
	}
	where, err := aside.Finish()
	if err != nil {
		return err
	}
	if _, err := r.Local.DropHints(ctx, func(_ mesh.NodeID, key mesh.Key) bool { return behind[key.Partition()] > 0 }); err != nil {
		return err
	}
	err = r.eachSuspect(ctx, behind, func(record mesh.Record) error {
		_, err := r.Local.Remove(ctx, record.Key, record.Cell)
		return err
	})
	if err == nil && kept > 0 {
		r.aside.Add(int64(kept))
		r.Log.Warn("this node was away for so long that some of what it holds may have been deleted for good meanwhile: that is set aside, and what the mesh still has of it is fetched",
			"keys", kept, "folder", where)
	}
	return err
}

// eachSuspect visits what this node holds of some partitions that began
// before marks were forgotten there.
func (r *Replica) eachSuspect(ctx context.Context, behind map[mesh.Partition]uint64, visit func(mesh.Record) error) error {
	for p := range mesh.Partition(mesh.Partitions) {
		floor, ok := behind[p]
		for from, done := uint64(0), !ok; !done; {
			records, next, end, err := r.Local.Differing(ctx, p, nil, from, pageBytes)
			if err != nil {
				return err
			}
			from, done = next, end
			for _, record := range records {
				if record.Cell.Began().Time > floor {
					continue
				}
				if err := visit(record); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// SetAside is how many keys this node has set aside since it was started.
func (r *Replica) SetAside() int64 { return r.aside.Load() }
