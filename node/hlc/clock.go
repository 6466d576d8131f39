// Package hlc is a node's hybrid logical clock (Kulkarni et al., "Logical
// Physical Clocks", 2014): its stamps never go back, follow every stamp that
// the node has seen, and stay close to the wall clock.
//
// It orders writes; it does not measure time, and it does not survive a
// restart: what the node stored before is observed as it is read.
package hlc

import (
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// DefaultMaxSkew is how far ahead of this node's wall clock a stamp from
// elsewhere may be, unless said otherwise.
const DefaultMaxSkew = time.Minute

// Clock gives stamps. It is safe for concurrent use.
type Clock struct {
	node    string
	now     func() time.Time
	maxSkew time.Duration
	last    atomic.Uint64 // the time of the latest stamp that was given or observed
}

// New makes the clock of a node. now is the wall clock, such as time.Now;
// a maxSkew of 0 means DefaultMaxSkew.
func New(node mesh.NodeID, now func() time.Time, maxSkew time.Duration) *Clock {
	if maxSkew == 0 {
		maxSkew = DefaultMaxSkew
	}
	return &Clock{node: string(node), now: now, maxSkew: maxSkew}
}

// Now gives a stamp after every one that was given or observed before.
func (c *Clock) Now() lattice.Stamp {
	physical := c.now()
	for {
		last := c.last.Load()
		next := lattice.Stamp{Time: last, Node: c.node}.Next(physical)
		if c.last.CompareAndSwap(last, next.Time) {
			return next
		}
	}
}

// Horizon is the lattice.Stamp.Time of a moment that is so far ahead of the wall
// clock. It does not follow stamps that were given or seen.
func (c *Clock) Horizon(ahead time.Duration) uint64 {
	return lattice.Stamp{}.Next(c.now().Add(ahead)).Time
}

// Observe makes later stamps follow s. A stamp too far ahead of the wall
// clock is refused with an Invalid error and changes nothing: one node with a
// wrong clock must not drag the mesh into the future.
func (c *Clock) Observe(s lattice.Stamp) error {
	if s.Time <= c.last.Load() {
		return nil
	}
	if ahead := s.Physical().Sub(c.now()); ahead > c.maxSkew {
		return mesh.Errorf(mesh.Invalid, "observe stamp", "%v is %v ahead of this node's clock: expected at most %v", s, ahead, c.maxSkew)
	}
	for {
		last := c.last.Load()
		if s.Time <= last || c.last.CompareAndSwap(last, s.Time) {
			return nil
		}
	}
}
