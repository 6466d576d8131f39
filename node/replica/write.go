package replica

import (
	"fmt"

	"github.com/virga-mesh/virga/mesh"
)

// outcome is how a write stands for the one who asked for it.
type outcome uint8

const (
	pending outcome = iota
	acked           // enough owners hold it
	short           // too few owners can still come to hold it
	again           // an owner knows of a later delete: observe it and apply anew
)

func (o outcome) String() string {
	return [...]string{"pending", "acked", "short", "again"}[o]
}

// write is the state of one delta on its way to the owners of a key. It has
// no I/O and no clock: what happens is told by its methods, and they say
// what to do. The outcome, once it is not pending, never changes: what
// happens later matters to the owners only.
type write struct {
	quorum
	holders int             // owners that hold it
	ofThose int             // known owners that do
	weakest mesh.Durability // among the holders
	outcome outcome
	ack     mesh.Ack // with acked: what was reached then
	reach   int      // with short: how many owners hold it, or could come to
	reached int      // and how many of the known ones

	heard       []bool // by index of owners
	silent      int    // how many were not heard of
	silentKnown int    // how many of the known ones
}

// newWrite starts the write of a delta to the owners of a key. The node that
// coordinates it is one like the others, if it is one at all.
func newWrite(q quorum) *write {
	w := &write{quorum: q, heard: make([]bool, len(q.owners)), silent: len(q.owners), silentKnown: among(q.owners, q.known)}
	w.settle()
	return w
}

// Acked says that an owner holds the delta.
func (w *write) Acked(owner mesh.NodeID, d mesh.Durability) {
	if w.hear(owner) {
		w.hold(owner, d)
		w.settle()
	}
}

// Lost says that an owner did not acknowledge. It reports whether that owner
// is owed the delta: whatever the outcome was, or will be.
func (w *write) Lost(owner mesh.NodeID) (owed bool) {
	if !w.hear(owner) {
		return false
	}
	w.settle()
	return true
}

// NotOwner says that a node holds the delta and is no owner by its own view: it
// hands it on to those that it sees. Its copy does not count.
func (w *write) NotOwner(node mesh.NodeID) {
	if w.hear(node) {
		w.settle()
	}
}

// Dominated says that an owner refused the delta, because the key was
// deleted after the state that the delta was made from.
func (w *write) Dominated(owner mesh.NodeID) {
	if w.hear(owner) && w.outcome == pending {
		w.finish(again)
	}
}

// Expire says that nobody waits any longer. Owners still acknowledge or are lost.
func (w *write) Expire() {
	if w.outcome == pending {
		w.finish(short)
		w.reach, w.reached = w.holders, w.ofThose
	}
}

// hear reports whether this is the first word of an owner that was asked.
func (w *write) hear(owner mesh.NodeID) bool {
	for i, o := range w.owners {
		if o == owner && !w.heard[i] {
			w.heard[i] = true
			w.silent--
			if w.isKnown(owner) {
				w.silentKnown--
			}
			return true
		}
	}
	return false
}

func (w *write) hold(owner mesh.NodeID, d mesh.Durability) {
	if w.holders == 0 || d < w.weakest {
		w.weakest = d
	}
	w.holders++
	if w.isKnown(owner) {
		w.ofThose++
	}
}

func (w *write) settle() {
	switch {
	case w.outcome != pending:
	case w.holders >= w.need && w.ofThose >= w.ofKnown:
		w.finish(acked)
	case w.holders+w.silent < w.need || w.ofThose+w.silentKnown < w.ofKnown:
		w.finish(short)
	}
}

func (w *write) finish(o outcome) {
	w.outcome = o
	w.ack = mesh.Ack{Replicas: w.holders, Durability: w.weakest}
	w.reach, w.reached = w.holders+w.silent, w.ofThose+w.silentKnown
}

// shortfall says what a write that fell short lacks.
func (w *write) shortfall() string {
	if w.reach < w.need {
		return fmt.Sprintf("%d owners must hold the write, %d could be reached", w.need, w.reach)
	}
	return fmt.Sprintf("%d of %d owners must hold the write, and of these %d could be reached: others only stand in", w.ofKnown, len(w.known), w.reached)
}
