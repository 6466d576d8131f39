package replica

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Bounds of collecting marks of deletes.
const (
	marksAtOnce    = 256     // asked about in one message
	marksAgreed    = 1 << 16 // upon once, and remembered until the second time
	longestSettle  = 2 * time.Minute
	longestCollect = time.Minute // between two looks
)

// rulesOfGraves says how long marks are kept. What was on its way when
// all members agreed has come to its end after two attempts; a delta of many
// MiB may take the rest.
func rulesOfGraves(o Options) graveRules {
	return graveRules{
		after: o.CollectAfter, takeover: o.CollectAfter / 4, bound: marksAgreed,
		settle: min(longestSettle, max(2*o.AttemptTimeout, o.CollectAfter/4)),
	}
}

// collectMarks has marks of deletes forgotten, until the context ends.
func (r *Replica) collectMarks(ctx context.Context) {
	ticker := time.NewTicker(jittered(min(longestCollect, max(time.Second, r.CollectAfter/8))))
	defer ticker.Stop()
	proposals := newGraves(rulesOfGraves(r.Options))
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := r.collectRound(ctx, proposals); err != nil && ctx.Err() == nil {
			r.Log.Debug("marks of deletes are kept for now", "err", err)
		}
	}
}

// collectRound looks at all marks once.
func (r *Replica) collectRound(ctx context.Context, proposals *graves) error {
	for from, done := uint64(0), false; !done; {
		dead, next, end, err := r.Local.Tombstones(ctx, from, marksAtOnce)
		if err != nil {
			return err
		}
		from, done = next, end
		due := slices.DeleteFunc(dead, func(mark mesh.Tombstone) bool { return !r.proposes(proposals, mark) })
		if len(due) == 0 {
			continue
		}
		members, view, err := r.wholeMesh()
		if err != nil {
			return err
		}
		proposals.View(view)
		if err := r.propose(ctx, proposals, members, due); err != nil {
			return err
		}
	}
	return nil
}

// proposes reports whether it is this node's turn to propose a mark.
func (r *Replica) proposes(proposals *graves, mark mesh.Tombstone) bool {
	now := time.Now()
	if !proposals.Old(mark.Since, now) {
		return false
	}
	owners := r.owners(mark.Key)
	rank := slices.Index(owners, r.Self)
	if rank < 0 {
		rank = len(owners)
	}
	return proposals.Due(mark.Since, rank, now)
}

// wholeMesh gives all members of the mesh, in order, and the number of the
// view. It is mesh.Unavailable while one of them is missing: what that one
// holds may be older than any mark.
func (r *Replica) wholeMesh() (members []mesh.NodeID, view uint64, err error) {
	r.sync.mu.Lock()
	viewed, view := r.sync.viewed, r.sync.settlement.views
	r.sync.mu.Unlock()
	if !viewed || r.isAway() {
		return nil, 0, mesh.Errorf(mesh.Unavailable, "collect", "this node has not joined the mesh yet")
	}
	members = slices.Clone(r.Placement.Live())
	for _, id := range r.Placement.Members() {
		if !slices.Contains(members, id) {
			return nil, 0, mesh.Errorf(mesh.Unavailable, "collect", "node %s is missing", id.Short())
		}
	}
	slices.Sort(members)
	return members, view, nil
}

// digestOfMembers is equal where two nodes see the same members.
func digestOfMembers(members []mesh.NodeID) []byte {
	var all []byte
	for _, id := range members {
		all = append(append(all, byte(len(id))), id...)
	}
	sum := sha256.Sum256(all)
	return sum[:]
}

// The steps of having a mark forgotten.
const (
	askStep    = 0
	noteStep   = 1
	forgetStep = 2
)

// propose brings marks a step further.
func (r *Replica) propose(ctx context.Context, proposals *graves, members []mesh.NodeID, marks []mesh.Tombstone) error {
	now := time.Now()
	var ripe, fresh []mesh.Tombstone
	for _, mark := range marks {
		if proposals.Ripe(mark, now) {
			ripe = append(ripe, mark)
		} else {
			fresh = append(fresh, mark)
		}
	}
	agreed, err := r.askMembers(ctx, proposals, members, fresh, askStep)
	if err != nil {
		return err
	}
	for _, mark := range agreed {
		proposals.Agreed(mark, time.Now())
	}
	agreed, err = r.askMembers(ctx, proposals, members, ripe, noteStep)
	if err != nil || len(agreed) == 0 {
		return err
	}
	for _, mark := range agreed {
		proposals.Over(mark.Key)
	}
	// Who does not hear it goes on holding a mark that kills nothing written
	// since, and is asked for it again.
	_, err = r.askMembers(ctx, proposals, members, agreed, forgetStep)
	r.Log.Debug("marks of deletes are forgotten", "count", len(agreed), "err", err)
	return err
}

// askMembers gives the marks that no member refuses.
func (r *Replica) askMembers(ctx context.Context, proposals *graves, members []mesh.NodeID, marks []mesh.Tombstone, step uint32) ([]mesh.Tombstone, error) {
	if len(marks) == 0 {
		return nil, nil
	}
	req := &pb.Collect{Members: digestOfMembers(members), Step: step, Marks: make([]*pb.Mark, len(marks))}
	for i, mark := range marks {
		req.Marks[i] = &pb.Mark{Key: wire.FromKey(mark.Key), Digest: mark.Digest, Since: mark.Since.Time}
	}
	type answered struct {
		reply *pb.CollectReply
		err   error
	}
	answers := make(chan answered, len(members))
	for _, id := range members {
		if !r.spawn(func() {
			reply, err := r.askMember(ctx, id, req)
			answers <- answered{reply, err}
		}) {
			return nil, mesh.Errorf(mesh.Unavailable, "collect", "this node is stopping")
		}
	}
	refused := make([]bool, len(marks))
	var last error
	for range members {
		a := <-answers
		if a.err != nil {
			last = a.err
			continue
		}
		for _, at := range a.reply.Refused {
			if int(at) < len(refused) {
				refused[at] = true
			}
		}
	}
	if last != nil {
		return nil, last
	}
	var agreed []mesh.Tombstone
	for i, mark := range marks {
		if refused[i] {
			proposals.Over(mark.Key)
		} else {
			agreed = append(agreed, mark)
		}
	}
	return agreed, nil
}

func (r *Replica) askMember(ctx context.Context, id mesh.NodeID, req *pb.Collect) (*pb.CollectReply, error) {
	if id == r.Self {
		return r.HandleCollect(ctx, req)
	}
	ctx, cancel := r.attempt(ctx, 0)
	defer cancel()
	return call[*pb.CollectReply](ctx, r.Peers, id, req)
}
