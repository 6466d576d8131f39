package replica

import (
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// verdict is what an owner that is asked to apply a write again may do.
type verdict uint8

const (
	apply  verdict = iota // nobody has it: apply it
	adopt                 // an owner has it: take that owner's copy
	ask                   // it is not known yet: ask again
	refuse                // it cannot be known
)

func (v verdict) String() string { return [...]string{"apply", "adopt", "ask", "refuse"}[v] }

// testimony is what one owner says of a write with an id.
type testimony struct {
	owner    mesh.NodeID
	answered bool
	standing standing
	memory   time.Duration // how far back the owner remembers all writes
}

// claim is the attempt of an owner to apply a write that another owner may
// have applied before. Decide has no I/O and no clock.
//
// Of two owners that claim a write at once one goes first: the one to whom
// the other gave way before, else the one with the smaller id.
type claim struct {
	self    mesh.NodeID
	age     time.Duration // since the write was first attempted
	memory  time.Duration // how far back this node remembers all writes
	gaveWay []mesh.NodeID // who was told by this node that it would not go first
}

// Decide takes what all other owners say.
func (c claim) Decide(said []testimony) verdict {
	decision := apply
	if c.memory < c.age {
		decision = refuse
	}
	for _, t := range said {
		switch {
		case t.answered && t.standing == held:
			return adopt
		case !t.answered || t.standing == arrives || t.standing == claimed && c.waitsFor(t.owner):
			decision = ask
		case t.standing == unheard && t.memory < c.age && decision == apply:
			decision = refuse
		}
	}
	return decision
}

// DecideByVotes is Decide for a write that does not count, but must not win, where
// it was made before, over what was written since. Owners that are silent are
// not waited for: it is enough if so many of the known owners, this one included,
// have not heard of the write. Where fewer have not, it is refused: they could not
// acknowledge it either. Who was started anew has a vote, else the write might
// never be made.
func (c claim) DecideByVotes(said []testimony, known []mesh.NodeID, enough int) verdict {
	votes := among([]mesh.NodeID{c.self}, known)
	decision := apply
	for _, t := range said {
		switch {
		case t.answered && t.standing == held:
			return adopt
		case !t.answered && slices.Contains(c.gaveWay, t.owner):
			decision = max(decision, refuse) // that one goes first
		case !t.answered:
		case t.standing == arrives || t.standing == claimed && c.waitsFor(t.owner):
			decision = max(decision, ask)
		default:
			votes += among([]mesh.NodeID{t.owner}, known)
		}
	}
	if decision == apply && votes < enough {
		return refuse
	}
	return decision
}

func (c claim) waitsFor(other mesh.NodeID) bool {
	return other < c.self || slices.Contains(c.gaveWay, other)
}
