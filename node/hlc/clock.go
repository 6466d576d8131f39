// Package hlc is a node's hybrid logical clock (Kulkarni et al., "Logical
// Physical Clocks", 2014): its stamps never go back, follow every stamp that
// the node has seen, and stay close to the wall clock.
//
// It orders writes; it does not measure time, and it does not survive a
// restart: what the node stored before is observed as it is read.
package hlc

import (
	"sync"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// DefaultMaxSkew is how far ahead of this node's wall clock a stamp from
// elsewhere may be, unless said otherwise.
const DefaultMaxSkew = time.Minute

// Clock gives stamps. It is safe for concurrent use.
type Clock struct {
	now     func() time.Time
	maxSkew time.Duration

	mu   sync.Mutex
	last lattice.Stamp
}

// New makes the clock of a node. now is the wall clock, such as time.Now;
// a maxSkew of 0 means DefaultMaxSkew.
func New(node mesh.NodeID, now func() time.Time, maxSkew time.Duration) *Clock {
	if maxSkew == 0 {
		maxSkew = DefaultMaxSkew
	}
	return &Clock{now: now, maxSkew: maxSkew, last: lattice.Stamp{Node: string(node)}}
}

// Now gives a stamp after every one that was given or observed before.
func (c *Clock) Now() lattice.Stamp {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = c.last.Next(c.now())
	return c.last
}

// Observe makes later stamps follow s. A stamp too far ahead of the wall
// clock is refused with an Invalid error and changes nothing: one node with a
// wrong clock must not drag the mesh into the future.
func (c *Clock) Observe(s lattice.Stamp) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.Time <= c.last.Time {
		return nil
	}
	if ahead := s.Physical().Sub(c.now()); ahead > c.maxSkew {
		return mesh.Errorf(mesh.Invalid, "observe stamp", "%v is %v ahead of this node's clock: expected at most %v", s, ahead, c.maxSkew)
	}
	c.last.Time = s.Time
	return nil
}
