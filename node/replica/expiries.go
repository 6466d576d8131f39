package replica

import (
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// expiries says when to look for keys that have expired, and which of them
// this node deletes. It has no I/O and no clock: the time is told to it. All
// that has expired is looked through page by page, and again after a pause.
// The closest owner deletes a key after a grace; the next does so if the key
// is there long after that.
type expiries struct {
	grace    time.Duration // from a key's expiry to its deletion
	takeover time.Duration // how much longer each next owner waits
	pause    time.Duration // between the end of one look and the next
	longest  time.Duration // that a failure makes the pause

	after    mesh.Expiring // where the next look begins
	due      time.Time     // of the next look
	failures int           // pages in a row of which nothing could be deleted
}

// lapsed is a key that has expired, of which this node may be an owner.
type lapsed struct {
	mesh.Expiring
	rank int // among the owners, 0 for the closest; negative for no owner
}

// Due is when to look next.
func (e *expiries) Due() time.Time { return e.due }

// Look says what to look for now: what expired by a time, after a place.
func (e *expiries) Look(now time.Time) (after mesh.Expiring, by time.Time) {
	return e.after, now.Add(-e.grace)
}

// Found is told what a look found, where it ended, and whether there is more.
// It gives the keys to delete now; Deleted says how that went.
func (e *expiries) Found(found []lapsed, last mesh.Expiring, more bool, now time.Time) (doomed []mesh.Key) {
	e.after, e.due = last, now
	if !more {
		e.after, e.due = mesh.Expiring{}, now.Add(e.pause)
	}
	for _, l := range found {
		if l.rank < 0 {
			continue
		}
		if wait := e.grace + time.Duration(l.rank)*e.takeover; !now.Before(l.At.Add(wait)) {
			doomed = append(doomed, l.Key)
		}
	}
	return doomed
}

// Deleted is told of how many keys were dealt with, and how many could not be.
func (e *expiries) Deleted(done, failed int, now time.Time) {
	if failed == 0 || done > 0 {
		e.failures = 0
		return
	}
	e.failures++
	e.putOff(now)
}

// Unseen says that a look failed.
func (e *expiries) Unseen(now time.Time) {
	e.failures++
	e.putOff(now)
}

func (e *expiries) putOff(now time.Time) {
	e.due = now.Add(min(e.pause<<min(e.failures, 20), e.longest))
}
