package replica

import (
	"context"
	"sync"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// maxReapplications is how often a write is applied anew because the key was
// deleted meanwhile.
const maxReapplications = 3

// coordinate applies a change here and brings its delta to the owners. What
// was done is noted in w, which the caller alone holds; what w says was done
// already is not done again.
func (r *Replica) coordinate(ctx context.Context, c change, q quorum, d mesh.Durability, w *recentWrite) (mesh.Ack, error) {
	for range maxReapplications {
		f := r.depart(c, q)
		if err := r.apply(ctx, c, q, w); err != nil {
			r.flights.crash(f, w.applied || c.deletes || c.expires)
			return mesh.Ack{}, err
		}
		r.flights.applied(f)
		q, err := r.neededToTell(c, w, q)
		if err != nil {
			r.flights.crash(f, true)
			return mesh.Ack{}, err
		}
		ack, result, err := r.spread(ctx, c, w, f, q, d)
		r.flights.conclude(f, result != short)
		switch result {
		case acked:
			if err := w.inTime(c); err != nil {
				return mesh.Ack{}, err
			}
			w.acked, w.ack = true, ack
			c.tell(w.delta)
			c.wrote.add(w.delta.Made())
			return ack, nil
		case again:
			w.applied = false
			if c.whole != nil {
				return mesh.Ack{}, errCollectionDeleted
			}
		default:
			return ack, err
		}
	}
	return mesh.Ack{}, mesh.Errorf(mesh.Conflict, c.String(), "the key was deleted by others %d times while it was written", maxReapplications)
}

// apply makes the delta of a change, unless w has it. For a change that an
// earlier attempt applied that is all that this node holds of the key.
func (r *Replica) apply(ctx context.Context, c change, q quorum, w *recentWrite) error {
	switch {
	case !w.applied:
		err := r.applyNew(ctx, c, q, w)
		r.settle(w)
		return err
	case !w.delta.IsZero():
		return nil
	}
	whole, held, err := r.Local.Get(c.key)
	switch {
	case err != nil:
		return err
	case !held:
		return mesh.Errorf(mesh.Conflict, c.String(), "an earlier attempt wrote the key, which was deleted since")
	}
	w.delta, w.adds = whole, false
	return nil
}

// applyNew makes the delta of a change from this node's copy of the key, and
// merges it there, in memory. A node that never heard of the key asks the
// other owners first: it may be new here.
func (r *Replica) applyNew(ctx context.Context, c change, q quorum, w *recentWrite) error {
	own, err := r.copyOf(c.key)
	if err != nil {
		return err
	}
	w.ackBy = time.Time{}
	others := r.others(q.owners)
	switch {
	case !own.held && len(others) > 0:
		err = r.fill(ctx, c, others, q.need)
	case own.expired && !c.expires:
		err = r.beginAnew(ctx, c.key)
	case !own.expires.IsZero() && !own.expired:
		w.ackBy = own.expires.Add(r.ExpiryGrace / 2)
	}
	if err != nil {
		return err
	}
	if c.whole != nil {
		if err := r.inherit(ctx, c.key, *c.whole); err != nil {
			return err
		}
	}
	if err := r.reach(ctx, c, others); err != nil {
		return err
	}
	if err := r.followCauses(c); err != nil {
		return err
	}
	r.stampLater(c)
	var merged mesh.Merged
	switch {
	case c.deletes:
		if err = c.inTime(time.Now()); err == nil {
			w.delta, merged, err = r.deleteLocal(ctx, c)
		}
	case c.expires:
		w.delta, merged, err = r.expireLocal(ctx, c.key)
	default:
		w.delta, merged, err = r.Local.Change(ctx, c.key, mesh.Memory, r.applying(c, w))
	}
	w.applied, w.adds = err == nil, !merged.Created && !c.deletes && !c.expires
	if err != nil {
		return err
	}
	return r.follow(c, w)
}

// fill merges what other owners hold of a key into this node's copy. Too few
// answers for the write to reach its quorum end it before it has begun. Owners
// of whom nothing is heard are waited for only where they are needed.
func (r *Replica) fill(ctx context.Context, c change, others []mesh.NodeID, need int) error {
	if own := r.own(ctx, c.key, living); own.err == nil && own.found {
		return nil // from a node that this one has yet to take the partition over from
	}
	var got filled
	for _, fetch := range []fetcher{r.fetchUnlessSilent, r.fetch} {
		var err error
		if got, err = r.fillBy(ctx, c, others, fetch); err != nil {
			return err
		}
		if !got.silent || got.answers+1 >= need {
			break
		}
	}
	if got.answers+1 < need {
		return mesh.Errorf(mesh.Unavailable, c.String(), "%d owners must hold the write, %d could be reached: %w", need, got.answers+1, got.last)
	}
	return ctx.Err()
}

// filled says who answered when others were asked for a key.
type filled struct {
	answers int
	silent  bool  // of some nothing is heard
	last    error // of one that did not answer
}

func (r *Replica) fillBy(ctx context.Context, c change, others []mesh.NodeID, fetch fetcher) (got filled, err error) {
	for answer := range r.fetchAllBy(ctx, c.key, others, living, fetch) {
		got.silent = got.silent || answer.silent
		if answer.err != nil {
			got.last = answer.err
			continue
		}
		got.answers++
		if !answer.found {
			continue
		}
		if _, err := r.Local.Merge(ctx, c.key, answer.cell, mesh.Logged); err != nil {
			return got, err
		}
	}
	return got, nil
}

// spreading is a write whose delta is on its way, shared by the caller and
// those who send.
type spreading struct {
	change change
	delta  lattice.Cell
	merge  *pb.Merge

	flight  *flight
	settled func() // called once, when the outcome is known

	mu      sync.Mutex
	write   *write
	proof   proof
	refusal error // the last one
}

// spreading begins to be one: nothing of it is sent yet.
func (r *Replica) spreading(c change, w *recentWrite, q quorum, d mesh.Durability, settled func()) *spreading {
	return &spreading{
		change: c, delta: w.delta, write: newWrite(q), proof: r.proofOf(c, w, q), settled: settled,
		merge: &pb.Merge{
			Key: wire.FromKey(c.key), Delta: w.delta.AppendBinary(nil), Durability: uint32(d),
			AddsToBase: w.adds, WriteIds: w.ids(),
		},
	}
}

// spread sends a delta to the owners and waits for the outcome. Those that
// the outcome did not wait for are still sent to, and owed, after it.
func (r *Replica) spread(ctx context.Context, c change, w *recentWrite, f *flight, q quorum, d mesh.Durability) (mesh.Ack, outcome, error) {
	settled := make(chan struct{})
	s := r.spreading(c, w, q, d, func() { close(settled) })
	s.flight = f
	if s.write.outcome != pending {
		s.settled()
	}
	for _, owner := range r.others(q.owners) {
		if !r.enter() {
			r.flights.crash(f, true)
			return mesh.Ack{}, pending, r.stopping(c)
		}
		r.post(owner, s.merge, r.onItsWay(s, owner))
	}
	s.holds(r, d, r.Local.Await(ctx, d, c.key)) // while the others are asked
	select {
	case <-settled:
	case <-ctx.Done():
		s.update(func(w *write) { w.Expire() })
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.write.ack, s.write.outcome, s.shortError(ctx, c)
}

func (r *Replica) stopping(c change) error {
	return mesh.Errorf(mesh.Unavailable, c.String(), "this node is stopping")
}

// holds tells how it went to make this node's own copy as durable as the
// owners' must be.
func (s *spreading) holds(r *Replica, d mesh.Durability, err error) {
	s.update(func(w *write) {
		if err == nil {
			w.Acked(r.Self, d)
			s.proof.Holds(w, r.Self)
			return
		}
		s.refusal = err
		w.Lost(r.Self)
	})
}

// update tells the state machine something, and who waits for the outcome if
// that decided it.
func (s *spreading) update(tell func(*write)) {
	s.mu.Lock()
	before := s.write.outcome
	tell(s.write)
	decided := before == pending && s.write.outcome != pending
	s.mu.Unlock()
	if decided {
		s.settled()
	}
}

// shortError says why a write fell short, if it did. s.mu is held.
func (s *spreading) shortError(ctx context.Context, c change) error {
	if s.write.outcome != short {
		return nil
	}
	kind := mesh.Unavailable
	switch refused := mesh.KindOf(s.refusal); {
	case s.refusal != nil && (refused == mesh.KindMismatch || refused == mesh.Invalid):
		kind = refused
	case ctx.Err() != nil:
		kind = mesh.KindOf(ctx.Err())
	}
	if s.refusal != nil {
		return mesh.Errorf(kind, c.String(), "%s: %w", s.write.shortfall(), s.refusal)
	}
	return mesh.Errorf(kind, c.String(), "%s", s.write.shortfall())
}

// onItsWay notes that the delta is sent to one owner, for which the caller has
// entered, and gives who is to be told the answer. A plain acknowledgement
// is taken on the goroutine that brings it; what takes more is left to one
// that may wait.
func (r *Replica) onItsWay(s *spreading, owner mesh.NodeID) func(*pb.MergeReply, error) {
	bytes := int64(len(s.merge.Delta))
	r.sending.Add(1)
	r.sendingBytes.Add(bytes)
	ended := func() {
		r.sending.Add(-1)
		r.sendingBytes.Add(-bytes)
		r.leave()
	}
	return func(reply *pb.MergeReply, err error) {
		if err == nil && !reply.LacksBase && len(reply.Cell) == 0 {
			r.flights.landed(s.flight, owner, !reply.NotOwner)
			s.acknowledged(owner, reply)
			ended()
			return
		}
		go func() { // leave says when it is over
			defer ended()
			ctx, cancel := r.attempt(r.background, int(bytes))
			defer cancel()
			reply, err := r.rest(ctx, owner, s.change.key, s.merge, reply, err)
			r.flights.landed(s.flight, owner, err == nil && !reply.NotOwner)
			r.heard(ctx, s, owner, reply, err)
		}()
	}
}

// heard tells the state machine how sending to an owner went.
func (r *Replica) heard(ctx context.Context, s *spreading, owner mesh.NodeID, reply *pb.MergeReply, err error) {
	switch {
	case err != nil:
		r.lost(s, owner, err)
	case reply.Dominated:
		r.observe(ctx, s.change.key, reply.Cell)
		s.update(func(w *write) { w.Dominated(owner) })
	default:
		if len(reply.Cell) > 0 { // the write was made there, with another stamp, or lost to what is there
			r.observe(ctx, s.change.key, reply.Cell)
		}
		s.acknowledged(owner, reply)
	}
}

// acknowledged tells the state machine that a node holds the delta.
func (s *spreading) acknowledged(owner mesh.NodeID, reply *pb.MergeReply) {
	s.update(func(w *write) {
		if reply.NotOwner {
			s.refusal = mesh.Errorf(mesh.Unavailable, "merge", "node %s does not own the key, as it sees the mesh", owner.Short())
			w.NotOwner(owner)
			return
		}
		w.Acked(owner, mesh.Durability(min(reply.Durability, 255)))
		if reply.Uncontested {
			s.proof.Holds(w, owner)
		}
	})
}

// lost tells that an owner did not acknowledge. What it is owed is noted
// before the caller hears of the outcome.
func (r *Replica) lost(s *spreading, owner mesh.NodeID, err error) {
	s.update(func(w *write) {
		s.refusal = err
		switch owed := w.Lost(owner); {
		case owed && owable(err):
			r.owe(owner, s.change.key, s.delta, s.merge.WriteIds)
		case owed:
			r.Log.Warn("an owner refuses a delta", "node", owner.Short(), "key", s.change.key.String(), "err", err)
		}
	})
}

// owable reports whether sending the same again later can succeed.
func owable(err error) bool {
	switch mesh.KindOf(err) {
	case mesh.KindMismatch, mesh.Invalid, mesh.Denied:
		return false
	}
	return true
}
