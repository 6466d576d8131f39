package replica

import (
	"maps"
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// The settlement's part that decides which partition to pull from whom.

// pull is a partition to be taken over from a node.
type pull struct {
	partition  mesh.Partition
	peer       mesh.NodeID
	connection uint64
	view       uint64
}

// Pulls gives what to pull now, and takes it as being pulled: of each
// partition from one node at a time, since what one has the others mostly
// have, too; of different partitions from different nodes.
func (s *settlement) Pulls(now time.Time) (pulls []pull) {
	if len(s.pulling) >= s.pulls {
		return nil
	}
	ids := slices.Sorted(maps.Keys(s.peers))
	var wanted partitionSet
	for _, peer := range s.peers {
		if !peer.pullFrom.After(now) {
			wanted.addAll(&peer.behind.in)
		}
	}
	for p := range s.pulling {
		wanted.remove(p)
	}
	for p := range wanted.from(s.begin) {
		if len(s.pulling) >= s.pulls {
			break
		}
		s.begin = (p + 1) % mesh.Partitions
		for i := range ids {
			id := ids[(int(p)+i)%len(ids)]
			peer := s.peers[id]
			if peer.behind.in.has(p) && !peer.pullFrom.After(now) {
				s.pulling[p] = true
				pulls = append(pulls, pull{p, id, peer.connection, s.views})
				break
			}
		}
	}
	return pulls
}

// Pulled says that this node holds all that another one held when the
// partition had the digest theirs there; its own is mine. Unless the pull was
// whole, something could not be merged: it is not asked for again soon, but
// nobody is told that it was taken over.
func (s *settlement) Pulled(d pull, theirs, mine uint64, whole bool) {
	delete(s.pulling, d.partition)
	if !s.ownedSince(d.partition, d.view) {
		return
	}
	if peer := s.current(d.peer, d.connection); peer != nil && whole {
		peer.failures = 0
		peer.held[d.partition] = theirs
		s.level(d.peer, peer, d.partition, theirs)
	} else if peer != nil {
		peer.behind.remove(d.partition)
	}
	if !whole {
		return
	}
	for id, peer := range s.peers {
		if digest := peer.behind.digests[d.partition]; digest != 0 && (digest == theirs || digest == mine) {
			peer.held[d.partition] = digest
			s.level(id, peer, d.partition, digest)
		}
	}
}

// NotPulled says that a pull failed.
func (s *settlement) NotPulled(d pull, now time.Time) {
	delete(s.pulling, d.partition)
	if peer := s.current(d.peer, d.connection); peer != nil {
		peer.pullFrom = now.Add(s.backOff(peer))
	}
}

// waits reports whether there is something to pull from the node that is not being pulled.
func (c *counterpart) waits(pulling map[mesh.Partition]bool) bool {
	for p := range c.behind.digests {
		if !pulling[p] {
			return true
		}
	}
	return false
}
