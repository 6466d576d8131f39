package replica

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// The partitions on their way here are bounded; each takes up to pageBytes of
// memory, here and at the node that it is pulled from. A node that is not ready
// hurries; one that is leaves most of the machine to those who read and write:
// with eight at once it answered a hundredth of the gets beside them late by half a second.
const (
	pullsToBeReady = 6
	pullsWhenReady = 3
	pageBytes      = 1 << 20
)

// syncRetry is the first wait after a comparison or a pull that failed: most
// often the other node did not see this one yet.
const syncRetry = 10 * time.Millisecond

// syncing drives the machines that move partitions between nodes.
type syncing struct {
	mu         sync.Mutex
	settlement *settlement
	release    *release
	view       *ownership
	viewed     bool                     // once joined, the view was looked at
	met        map[mesh.NodeID]struct{} // since the start: what they hold was taken over

	wake    chan struct{} // something is to be done
	changed atomic.Bool   // the view has
	joined  atomic.Bool
	synced  chan struct{} // closed when this node has been settled once

	repairs, bytes atomic.Int64
}

func newSyncing(o Options) *syncing {
	return &syncing{
		settlement: newSettlement(o.Self, settlementRules{
			interval: func() time.Duration { return jittered(o.AntiEntropyInterval) },
			first:    syncRetry, longest: o.RetryLongest, pulls: pullsToBeReady,
		}),
		release: newRelease(o.Self), view: &ownership{},
		met: map[mesh.NodeID]struct{}{}, wake: make(chan struct{}, 1), synced: make(chan struct{}),
	}
}

// jittered is a duration up to a quarter shorter, so that nodes do not move in step.
func jittered(d time.Duration) time.Duration { return d - rand.N(d/4+1) }

// Joined says that this node has found the mesh: the view counts from now on.
func (r *Replica) Joined() {
	r.sync.joined.Store(true)
	r.ViewChanged()
}

// ViewChanged says that nodes came or went, or own something else.
func (r *Replica) ViewChanged() {
	r.sync.changed.Store(true)
	r.sync.stir()
	select {
	case r.sight <- struct{}{}:
	default:
	}
}

// Synced is closed once this node holds what it owns, as far as nodes that
// live could give it.
func (r *Replica) Synced() <-chan struct{} { return r.sync.synced }

// Unsettled is of how many partitions this node is an owner and has not yet
// taken over all that live nodes hold: those of which another one may not
// have been asked yet included.
func (r *Replica) Unsettled() int {
	r.sync.mu.Lock()
	defer r.sync.mu.Unlock()
	if !r.sync.viewed {
		return mesh.Partitions
	}
	return r.sync.settlement.Count()
}

func (s *syncing) stir() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// tell tells the machines something.
func (s *syncing) tell(f func()) {
	s.mu.Lock()
	f()
	s.mu.Unlock()
	s.stir()
}

// synchronize compares and moves partitions until the context ends.
func (r *Replica) synchronize(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		var due <-chan time.Time
		if r.sync.joined.Load() && !r.isAway() {
			if r.look() {
				r.dropDebts(ctx)
			}
			r.act()
			if next, any := r.nextSync(); any {
				timer.Reset(time.Until(next))
				due = timer.C
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-r.sync.wake:
		case <-due:
		}
	}
}

func (r *Replica) nextSync() (time.Time, bool) {
	r.sync.mu.Lock()
	defer r.sync.mu.Unlock()
	return r.sync.settlement.Next()
}

// look takes up a change of the view, and reports whether there was one.
func (r *Replica) look() bool {
	s := r.sync
	if !s.changed.Swap(false) {
		return false
	}
	v := newOwnership(slices.Clone(r.Placement.Live()), func(p mesh.Partition) []mesh.NodeID {
		return r.Placement.PartitionOwners(p, r.Replicas)
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view, s.viewed = v, true
	s.settlement.View(v, time.Now())
	s.release.View(v)
	s.progress()
	return true
}

// progress notes what follows from a step of the settlement. s.mu is held.
func (s *syncing) progress() {
	for id, peer := range s.settlement.peers {
		if s.settlement.hasAll(peer) {
			s.met[id] = struct{}{}
		}
	}
	if s.viewed && s.settlement.Settled() {
		select {
		case <-s.synced:
		default:
			close(s.synced)
			s.settlement.pulls = pullsWhenReady
		}
	}
}

// act starts what is due. Partitions are dropped here and now: not beside a
// change of who owns them.
func (r *Replica) act() {
	s := r.sync
	now := time.Now()
	s.mu.Lock()
	comparisons, pulls := s.settlement.Comparisons(now), s.settlement.Pulls(now)
	taken, drops := s.settlement.Taken(), s.release.Drops()
	s.mu.Unlock()
	for _, c := range comparisons {
		r.spawn(func() { r.compare(c) })
	}
	for _, p := range pulls {
		r.spawn(func() { r.pull(p) })
	}
	for node, digests := range taken {
		r.spawn(func() { r.confirm(node, digests) })
	}
	for _, d := range drops {
		r.drop(d)
	}
}

// compare asks a node for its digests and tells the machine.
func (r *Replica) compare(c comparison) {
	theirs, mine, sees, err := r.digests(r.background, c)
	r.sync.tell(func() {
		if err != nil {
			r.Log.Debug("cannot compare with a node", "node", c.peer.Short(), "err", err)
			r.sync.settlement.NotCompared(c, time.Now())
			return
		}
		r.sync.settlement.Compared(c, theirs, mine, sees, time.Now())
		r.sync.progress()
	})
}

// digests asks a node for its digests and for whom it sees, and then gives this node's.
func (r *Replica) digests(ctx context.Context, c comparison) (theirs, mine []uint64, sees []mesh.NodeID, err error) {
	ctx, cancel := r.attempt(ctx, mesh.Partitions*digestSize)
	defer cancel()
	reply, err := call[*pb.SyncDigestsReply](ctx, r.Peers, c.peer, &pb.SyncDigests{Partitions: c.partitions.encode()})
	if err != nil {
		return nil, nil, nil, err
	}
	digests, err := decodeDigests(reply.Digests)
	if err != nil {
		return nil, nil, nil, err
	}
	theirs = make([]uint64, mesh.Partitions)
	for _, d := range digests {
		theirs[d.partition] = d.digest
	}
	for _, id := range reply.Live {
		sees = append(sees, mesh.NodeID(id))
	}
	mine, err = r.Local.Digests(ctx) // after theirs: what they had then, this node had, too
	return theirs, mine, sees, err
}

// confirm tells a node that is no owner what this one has taken over.
func (r *Replica) confirm(node mesh.NodeID, digests []partitionDigest) {
	ctx, cancel := r.attempt(r.background, len(digests)*digestSize)
	defer cancel()
	if _, err := r.Peers.Call(ctx, node, &pb.SyncDone{Digests: encodeDigests(digests)}); err != nil {
		r.Log.Debug("a node could not be told what was taken over", "node", node.Short(), "err", err)
	}
}

// drop removes a partition that its owners hold.
func (r *Replica) drop(d partitionDigest) {
	if _, err := r.Local.DropPartition(r.background, d.partition, d.digest); err != nil {
		r.Log.Warn("cannot drop a partition that others own", "partition", d.partition, "err", err)
	}
	r.sync.tell(func() { r.sync.release.Dropped(d.partition) })
}
