package replica

import (
	"errors"
	"fmt"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Who passes a write on (forward) says by when the owner must stamp it. If nothing
// is heard from that one, the next one stamps it later: so the first stamp never wins
// over what was written by who had seen the second, whatever the clocks.

// stampSlack is how far an owner's clock may be ahead of that of who passes a
// write on, and not have to be asked twice.
const stampSlack = time.Second

// maxStampings is how often an owner is asked whose clock is further ahead.
const maxStampings = 3

// laterBy is by how much a lattice.Stamp.Time is later after a while.
func laterBy(d time.Duration) uint64 {
	return lattice.Stamp{}.Next(time.UnixMilli(d.Milliseconds())).Time
}

// bindsStamp reports whether the change draws a stamp that decides what wins.
func (c change) bindsStamp() bool {
	return c.at.IsZero() && (c.deletes || c.kind == lattice.LWWKind && !c.touches)
}

// tooLateError says that nothing was written, since the stamp would have come too late.
type tooLateError struct{ at uint64 }

func (e *tooLateError) Error() string {
	return fmt.Sprintf("the clock is ahead: the stamp would be of %v", lattice.Stamp{Time: e.at}.Physical())
}

// mayStamp is nil if a change may get a stamp.
func (c change) mayStamp(at lattice.Stamp) error {
	if c.stampBy == 0 || at.Time <= c.stampBy {
		return nil
	}
	return mesh.Errorf(mesh.Unavailable, c.String(), "%w", &tooLateError{at.Time})
}

// asTooLate is the answer to who may have the write stamped later, if that is why it failed.
func asTooLate(err error) *pb.PutReply {
	var e *tooLateError
	if !errors.As(err, &e) {
		return nil
	}
	return &pb.PutReply{TooLate: e.at}
}

// stampLater has the change stamped after it may have been stamped elsewhere. A
// clock that is too far behind for that does not keep it from being made.
func (r *Replica) stampLater(c change) {
	if c.stampAfter == 0 || r.Observe == nil {
		return
	}
	if err := r.Observe(lattice.Stamp{Time: c.stampAfter}); err != nil {
		r.Log.Info("a write may have two stamps", "key", c.key.String(), "err", err)
	}
}
