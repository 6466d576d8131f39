package replica

import (
	"maps"
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// settlement says what this node, as an owner, still has to take over from
// which other node: whom to compare digests with and when, which partition to
// pull from whom, and whom to tell that it was taken over. It has no I/O and
// no clock: the time is told to it.
//
// The node is settled in a partition when it has compared it with every live
// node since that one came up and since this node became an owner, and has
// pulled what differed then. A node that comes up says whom it sees: those are
// waited for, too, since a node that was cut off gets back to the others one
// by one, and they have gone on without it. Differences that later comparisons find are
// repaired, too, but most of them are deltas on their way: see routine.
type settlement struct {
	settlementRules
	self    mesh.NodeID
	owned   partitionSet
	views   uint64                  // how many there were
	gained  [mesh.Partitions]uint64 // since which view this node owns it
	peers   map[mesh.NodeID]*counterpart
	pulling map[mesh.Partition]bool
	begin   mesh.Partition // where to look for the next pull
	taken   map[mesh.NodeID][]partitionDigest
}

// settlementRules are the numbers that the decisions depend on.
type settlementRules struct {
	interval       func() time.Duration // between comparisons with a node; drawn anew each time
	first, longest time.Duration        // the bounds of the wait after a failure
	pulls          int                  // at once
}

// counterpart is another live node.
type counterpart struct {
	connection uint64 // counts how often it came up
	owns       partitionSet
	compared   partitionSet
	behind     backlogged                    // what is to be pulled: the digests that it had there
	held       map[mesh.Partition]uint64     // what has been pulled: digests all of whose cells this node holds, too
	differing  map[mesh.Partition]difference // as the last routine comparison found it

	introduced bool          // compared once since it came up
	names      []mesh.NodeID // whom it saw then and still sees, and this node does not
	namesUntil time.Time     // when they are given up

	comparing bool
	due       time.Time // the next comparison
	failures  int
	pullFrom  time.Time // after a failure: when to try again
}

// difference is one that routine comparisons found, and how many in a row.
type difference struct {
	theirs uint64
	times  int
}

// patientFor is after how many routine comparisons in a row a partition that
// differs is pulled, however busy it is.
const patientFor = 6

// Nodes that another one names are waited for so long, and asked about so often.
const (
	introductionEnds  = 10 * time.Second
	introductionPause = 250 * time.Millisecond
)

// comparison is one to be made with a node: of the partitions that this node
// owned when it began.
type comparison struct {
	peer       mesh.NodeID
	connection uint64
	view       uint64
	partitions partitionSet
}

func newSettlement(self mesh.NodeID, rules settlementRules) *settlement {
	return &settlement{
		settlementRules: rules, self: self, peers: map[mesh.NodeID]*counterpart{},
		pulling: map[mesh.Partition]bool{}, taken: map[mesh.NodeID][]partitionDigest{},
	}
}

// View says which nodes live and which of them own what. When that changed,
// all are compared with at once.
func (s *settlement) View(v *ownership, now time.Time) {
	before, changed := s.owned, false
	s.owned = v.of(s.self)
	gained, lost := s.owned.minus(&before), before.minus(&s.owned)
	s.views++
	for p := range gained.all() {
		s.gained[p] = s.views
	}
	for id := range s.peers {
		if !v.lives(id) {
			delete(s.peers, id)
			delete(s.taken, id)
			changed = true
		}
	}
	for _, id := range v.live {
		if id == s.self {
			continue
		}
		peer := s.peers[id]
		if peer == nil {
			peer = newCounterpart()
			s.peers[id] = peer
			changed = true
		}
		owns := v.of(id)
		changed = changed || owns != peer.owns
		peer.owns = owns
		for p := range lost.all() {
			peer.forget(p)
		}
	}
	for _, peer := range s.peers {
		peer.names = slices.DeleteFunc(peer.names, s.meets)
	}
	if changed || before != s.owned {
		s.CompareNow(now)
	}
}

func newCounterpart() *counterpart {
	return &counterpart{
		held:      map[mesh.Partition]uint64{},
		differing: map[mesh.Partition]difference{},
	}
}

// forget drops what is known of a partition.
func (c *counterpart) forget(p mesh.Partition) {
	c.compared.remove(p)
	c.behind.remove(p)
	delete(c.held, p)
	delete(c.differing, p)
}

// PeerUp says that a node was connected anew: it may have changed meanwhile.
func (s *settlement) PeerUp(id mesh.NodeID, now time.Time) {
	peer := s.peers[id]
	if peer == nil {
		return
	}
	anew := newCounterpart()
	anew.connection, anew.owns, anew.due = peer.connection+1, peer.owns, now
	s.peers[id] = anew
}

// CompareNow makes comparisons with all nodes due.
func (s *settlement) CompareNow(now time.Time) {
	for _, peer := range s.peers {
		peer.due, peer.failures = now, 0
	}
}

// CompareWith makes a comparison with one node due.
func (s *settlement) CompareWith(id mesh.NodeID, now time.Time) {
	if peer := s.peers[id]; peer != nil {
		peer.due = now
	}
}

// Comparisons gives those to make now, and takes them as being made.
func (s *settlement) Comparisons(now time.Time) (due []comparison) {
	for _, id := range slices.Sorted(maps.Keys(s.peers)) {
		peer := s.peers[id]
		if peer.comparing || peer.due.After(now) {
			continue
		}
		peer.comparing = true
		// Meanwhile it may become due again: then this one does not count for that.
		peer.due = now.Add(s.interval())
		due = append(due, comparison{id, peer.connection, s.views, s.owned})
	}
	return due
}

// current gives the node of a comparison or pull, unless it has gone or come up anew since.
func (s *settlement) current(id mesh.NodeID, connection uint64) *counterpart {
	if peer := s.peers[id]; peer != nil && peer.connection == connection {
		return peer
	}
	return nil
}

// ownedSince reports whether this node has owned a partition ever since a view.
func (s *settlement) ownedSince(p mesh.Partition, view uint64) bool {
	return s.owned.has(p) && s.gained[p] <= view
}

// Compared tells the digests that a node had, and then this one's; 0 is that
// of an empty partition. sees are the nodes that the other one saw.
func (s *settlement) Compared(c comparison, theirs, mine []uint64, sees []mesh.NodeID, now time.Time) {
	peer := s.current(c.peer, c.connection)
	if peer == nil {
		return
	}
	peer.comparing, peer.failures = false, 0
	s.introduce(peer, sees, now)
	for p := range c.partitions.all() {
		if !s.ownedSince(p, c.view) {
			continue
		}
		switch digest := theirs[p]; {
		case digest == mine[p] || digest == 0:
			s.level(c.peer, peer, p, digest)
		case peer.behind.in.has(p):
			peer.behind.set(p, digest)
		case !peer.compared.has(p):
			peer.behind.set(p, digest)
			peer.compared.add(p)
		default:
			s.routine(c.peer, peer, p, digest)
		}
	}
}

// introduce notes whom a node sees that came up. Later words of it only take
// back: who dies is not seen to die by all at once.
func (s *settlement) introduce(peer *counterpart, sees []mesh.NodeID, now time.Time) {
	if !peer.introduced {
		peer.introduced, peer.names, peer.namesUntil = true, slices.Clone(sees), now.Add(introductionEnds)
	}
	peer.names = slices.DeleteFunc(peer.names, func(id mesh.NodeID) bool {
		return s.meets(id) || !slices.Contains(sees, id) || now.After(peer.namesUntil)
	})
	if len(peer.names) > 0 {
		peer.due = now.Add(introductionPause)
	}
}

// meets reports whether this node sees another one, or is it.
func (s *settlement) meets(id mesh.NodeID) bool { return id == s.self || s.peers[id] != nil }

// level notes that this node holds all that another one held with a digest.
func (s *settlement) level(id mesh.NodeID, peer *counterpart, p mesh.Partition, digest uint64) {
	peer.compared.add(p)
	peer.behind.remove(p)
	delete(peer.differing, p)
	if digest != 0 && !peer.owns.has(p) {
		s.taken[id] = append(s.taken[id], partitionDigest{p, digest})
	}
}

// routine decides about a difference in a partition that was level before. A
// node that is no owner has leftovers, which are pulled at once. Owners differ
// by deltas on their way, most of the time; what one of them has had from one
// comparison to the next is no such delta.
func (s *settlement) routine(id mesh.NodeID, peer *counterpart, p mesh.Partition, digest uint64) {
	known := peer.differing[p]
	known.times++
	switch {
	case peer.held[p] == digest && known.times < patientFor:
		s.level(id, peer, p, digest)
		peer.differing[p] = difference{digest, known.times}
	case known.theirs == digest || known.times >= patientFor || !peer.owns.has(p):
		delete(peer.differing, p)
		delete(peer.held, p)
		peer.behind.set(p, digest)
	default:
		peer.differing[p] = difference{digest, known.times}
	}
}

// NotCompared says that a comparison failed.
func (s *settlement) NotCompared(c comparison, now time.Time) {
	if peer := s.current(c.peer, c.connection); peer != nil {
		peer.comparing = false
		peer.due = now.Add(s.backOff(peer))
	}
}

func (s *settlement) backOff(peer *counterpart) time.Duration {
	peer.failures++
	return min(s.first<<min(peer.failures-1, 20), s.longest)
}

// Taken gives what nodes that do not own it hold and this node has taken
// over, by node: each is to be told. It is given once; the next comparison
// with a node makes up for what was not told.
func (s *settlement) Taken() map[mesh.NodeID][]partitionDigest {
	taken := s.taken
	s.taken = map[mesh.NodeID][]partitionDigest{}
	return taken
}

// Next is when Comparisons or Pulls will next have something, if nothing happens before.
func (s *settlement) Next() (next time.Time, any bool) {
	sooner := func(at time.Time) {
		if !any || at.Before(next) {
			next, any = at, true
		}
	}
	for _, peer := range s.peers {
		if !peer.comparing {
			sooner(peer.due)
		}
		if len(s.pulling) < s.pulls && peer.waits(s.pulling) {
			sooner(peer.pullFrom)
		}
	}
	return next, any
}

// Unsettled gives the nodes that may hold something of a partition that this
// node has not taken over.
func (s *settlement) Unsettled(p mesh.Partition) (nodes []mesh.NodeID) {
	for id, peer := range s.peers {
		if peer.unsettled(p) {
			nodes = append(nodes, id)
		}
		nodes = append(nodes, peer.names...)
	}
	slices.Sort(nodes)
	return slices.Compact(nodes)
}

func (c *counterpart) unsettled(p mesh.Partition) bool {
	return !c.compared.has(p) || c.behind.in.has(p)
}

// Settled reports whether Count is 0, at little cost.
func (s *settlement) Settled() bool {
	for _, peer := range s.peers {
		if !s.hasAll(peer) || len(peer.names) > 0 && s.owned.len() > 0 {
			return false
		}
	}
	return true
}

// hasAll reports whether this node has taken over all that another one held.
func (s *settlement) hasAll(peer *counterpart) bool {
	missing := s.owned.minus(&peer.compared)
	return len(peer.behind.digests) == 0 && missing.len() == 0
}

// Count is in how many partitions this node is an owner and not settled.
func (s *settlement) Count() int {
	var all partitionSet
	for _, peer := range s.peers {
		if len(peer.names) > 0 {
			return s.owned.len()
		}
		missing := s.owned.minus(&peer.compared)
		all.addAll(&missing)
		all.addAll(&peer.behind.in)
	}
	return all.len()
}
