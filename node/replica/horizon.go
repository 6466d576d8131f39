package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Who passes a write on (forward) says by when the owner must stamp it. If nothing
// is heard from that one, the next one stamps it later: so the first stamp never wins
// over what was written by who had seen the second, whatever the clocks. It is as
// late as the write may be begun (mesh.FreshFor). So where clocks agree no owner is
// asked twice, and the next one, which is asked then, stamps nothing ahead of its clock.

// patientSlack is how much longer an owner may take that is waited for.
const patientSlack = time.Second

// maxLead bounds how long a write waits to be acknowledged because its stamp is ahead.
const maxLead = patientSlack + 500*time.Millisecond

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

// bindStamp sets by when the owner that a change is passed on to must stamp it: so
// long from now on, or, unless that is 0, from when it was too late. Who is patient,
// or asks once more, lets it have patientSlack in addition: the way may be long.
func (r *Replica) bindStamp(c change, o *WriteOptions, req wire.Message, within time.Duration, tooLate uint64, patient bool) {
	if r.Horizon == nil || !c.bindsStamp() {
		return
	}
	switch {
	case tooLate > 0:
		o.StampBy = tooLate + laterBy(within+patientSlack)
	case patient:
		o.StampBy = r.Horizon(within + patientSlack)
	default:
		o.StampBy = r.Horizon(within)
	}
	o.StampBy = max(o.StampBy, o.StampAfter+1)
	switch m := req.(type) {
	case *pb.Put:
		m.StampBy = o.StampBy
	case *pb.Delete:
		m.StampBy = o.StampBy
	}
}

// passHorizon waits until this node's wall clock has passed a lattice.Stamp.Time
// that a write was stamped after, but for no longer than maxLead: an owner that has
// missed the write is to stamp later what comes when it is acknowledged.
func (r *Replica) passHorizon(ctx context.Context, after uint64) {
	if after == 0 || r.Horizon == nil {
		return
	}
	lead := lattice.Stamp{Time: after}.Physical().Sub(lattice.Stamp{Time: r.Horizon(0)}.Physical())
	if lead < 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(min(lead+time.Millisecond, maxLead)): // stamps tell milliseconds
	}
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
