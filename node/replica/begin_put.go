package replica

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// maxBegun is the longest operation that BeginPut takes, in bytes: who calls it
// reads a connection meanwhile.
const maxBegun = 16 << 10

// BeginPut is HandlePut for who must not wait. It takes a put of a register or
// a counter that this node coordinates, if all that the put is likely to wait
// for is the log and the other owners, and reports false for any other. The put
// is made by the next Depart, which the caller sees to, unless nobody waits for
// it any more by then; and the asker is told the answer.
func (r *Replica) BeginPut(m *pb.Put, asker Asker) bool {
	if m.Behind || m.AfterMost || len(m.After) > 0 || m.TellBytes > 0 || m.Causes != nil || len(m.Op) > maxBegun {
		return false
	}
	c, o, err := changeOf(m)
	if err != nil || !r.mayBegin(c, &o) {
		return false
	}
	q, err := r.writeQuorum(c, o.Quorum)
	if err != nil || !o.Forwarded && !slices.Contains(q.owners, r.Self) {
		return false
	}
	c.by = asker.BeginBy()
	b := &begunPut{replica: r, change: c, options: o, quorum: q, asker: asker}
	r.begun.add(b)
	asker.WhenEnded(b.end)
	return true
}

// Asker waits for the answer to a put that was begun. Its methods do not wait.
type Asker interface {
	// Reply is told the answer, once.
	Reply(*pb.PutReply, error)
	// WhenEnded has ended called when nobody waits for the answer any more,
	// at most once, perhaps before it returns.
	WhenEnded(ended func())
	// BeginBy is until when the put may be begun; zero: whenever.
	BeginBy() time.Time
	// Context ends when nobody waits for the answer any more, and takes the place of WhenEnded.
	Context() (context.Context, context.CancelFunc)
}

// mayBegin reports whether a change can be coordinated here, and waits for no
// more than the log. It fills in the durability.
func (r *Replica) mayBegin(c change, o *WriteOptions) bool {
	if c.kind.Divisible() || c.validate(*o) != nil || r.home("put") != nil || r.mayAdd(c) != nil {
		return false
	}
	if o.Durability == mesh.DefaultDurability {
		o.Durability = r.Durability
	}
	return o.Durability == mesh.Logged
}

// takeTurn enters a write, unless it is, or may be, a retry: then it is nil.
func (r *Replica) takeTurn(c change, o WriteOptions) *recentWrite {
	if o.ID == "" {
		return &recentWrite{}
	}
	w := r.recent.tryTake(writeID{o.ID, c.key})
	if w == nil {
		return nil
	}
	if !w.acked && !w.applied && (!c.isOnce() || r.beginFirst(c, w, o)) {
		return w
	}
	r.recent.rest(w)
	return nil
}

// applyAtHand is applyNew for a key whose copy can be changed without waiting
// for anything. It reports whether it is one.
func (r *Replica) applyAtHand(c change, w *recentWrite) bool {
	defer r.settle(w)
	w.ackBy = time.Time{}
	apply := r.applying(c, w)
	delta, merged, ok, err := r.Local.ChangeAtHand(c.key, func(have lattice.Cell, at lattice.Write) (lattice.Cell, error) {
		if expires, ok := have.ExpiresAt(); ok {
			if have.Expired(time.Now) {
				return lattice.Cell{}, errExpired
			}
			w.ackBy = expires.Add(r.ExpiryGrace / 2)
		}
		return apply(have, at)
	})
	if !ok || err != nil {
		return false
	}
	w.delta, w.applied, w.adds = delta, true, !merged.Created
	return true
}

var errExpired = mesh.Errorf(mesh.Conflict, "put", "the key has expired: it is to be begun anew")

// begunPut is a put after BeginPut.
type begunPut struct {
	replica *Replica
	change  change
	options WriteOptions
	quorum  quorum
	asker   Asker
	recent  *recentWrite // whose turn the put has, from when it was made on

	state sync.Mutex
	ended bool       // nobody waits for it any more
	sent  *spreading // nil before it was made
}

// end says that nobody waits for the put any more.
func (b *begunPut) end() {
	b.state.Lock()
	sent := b.sent
	b.ended = true
	b.state.Unlock()
	if sent != nil {
		sent.update(func(w *write) { w.Expire() })
	}
}

// make makes the delta, and reports whether it is to be sent. What turns out to
// have to wait for more is left to a goroutine that may.
func (b *begunPut) make() bool {
	r := b.replica
	b.state.Lock()
	ended := b.ended
	b.state.Unlock()
	if ended {
		b.asker.Reply(nil, mesh.Errorf(mesh.Cancelled, b.change.String(), "nobody waits for it any more"))
		return false
	}
	w := r.takeTurn(b.change, b.options)
	var f *flight
	if w != nil {
		f = r.depart(b.change, b.quorum)
		if !r.applyAtHand(b.change, w) {
			r.flights.crash(f, w.applied)
			r.recent.rest(w)
			w = nil
		}
	}
	if w == nil {
		if !r.spawn(b.wait) {
			b.asker.Reply(nil, r.stopping(b.change))
		}
		return false
	}
	r.flights.applied(f)
	b.recent = w
	s := r.spreading(b.change, w, b.quorum, b.options.Durability, b.conclude)
	s.flight = f
	b.state.Lock()
	b.sent = s
	b.state.Unlock()
	return true
}

// wait makes the put as any other.
func (b *begunPut) wait() {
	ctx, cancel := b.asker.Context()
	defer cancel()
	ack, err := b.replica.change(ctx, b.change, b.options)
	b.reply(ack, err)
}

// conclude answers, now that the outcome is known.
func (b *begunPut) conclude() {
	s := b.sent
	s.mu.Lock()
	result, ack := s.write.outcome, s.write.ack
	err := s.shortError(b.replica.background, b.change)
	s.mu.Unlock()
	b.replica.flights.conclude(s.flight, result != short)
	if result == again {
		b.repeat() // this goroutine may wait: see onItsWay
		return
	}
	if err == nil {
		err = b.recent.inTime(b.change)
	}
	if err == nil {
		b.recent.acked, b.recent.ack = true, ack
	}
	b.rest(ack, err)
}

// repeat makes the put anew, in a state that has the delete which won over it.
// When nobody waits for it any more that would come too late: what it writes
// would win over what was written since.
func (b *begunPut) repeat() {
	ctx, cancel := b.asker.Context()
	defer cancel()
	b.recent.applied = false
	ack, err := b.replica.coordinate(ctx, b.change, b.quorum, b.options.Durability, b.recent)
	b.rest(ack, err)
}

func (b *begunPut) rest(ack mesh.Ack, err error) {
	b.replica.recent.rest(b.recent)
	b.reply(ack, err)
}

func (b *begunPut) reply(ack mesh.Ack, err error) {
	if reply := asTooLate(err); reply != nil {
		b.asker.Reply(reply, nil)
		return
	}
	if err != nil {
		b.asker.Reply(nil, err)
		return
	}
	b.asker.Reply(b.replica.putReply(b.quorum.owners, ack), nil)
}

// begunPuts are those that have yet to depart. There are no more of them than
// requests are being served.
type begunPuts struct {
	mu   sync.Mutex
	puts []*begunPut
}

func (b *begunPuts) add(p *begunPut) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.puts = append(b.puts, p)
}

func (b *begunPuts) take() (puts []*begunPut) {
	b.mu.Lock()
	defer b.mu.Unlock()
	puts, b.puts = b.puts, nil
	return puts
}

// Depart makes the puts that were begun, sends them to the owners, together,
// and brings them to the log.
func (r *Replica) Depart() {
	puts := slices.DeleteFunc(r.begun.take(), func(b *begunPut) bool { return !b.make() })
	if len(puts) == 0 {
		return
	}
	var owners []mesh.NodeID
	keys := make([]mesh.Key, len(puts))
	for i, b := range puts {
		keys[i] = b.change.key
		for _, owner := range b.quorum.owners {
			if owner != r.Self && r.departTo(b, owner) && !slices.Contains(owners, owner) {
				owners = append(owners, owner)
			}
		}
	}
	for _, owner := range owners {
		r.empty(owner)
	}
	if !r.enter() {
		for _, b := range puts {
			b.isStopping()
		}
		return
	}
	r.Local.AwaitLater(keys, func(err error) {
		for _, b := range puts {
			b.sent.holds(r, b.options.Durability, err)
		}
		r.leave()
	})
}

// departTo puts the delta of a put into the outbox of an owner.
func (r *Replica) departTo(b *begunPut, owner mesh.NodeID) bool {
	if !r.enter() {
		r.flights.landed(b.sent.flight, owner, false)
		b.isStopping()
		return false
	}
	r.outboxes.add(owner, posted{b.sent.merge, r.onItsWay(b.sent, owner)})
	return true
}

// isStopping says that the put goes no further, since this node is stopping.
func (b *begunPut) isStopping() {
	b.sent.update(func(w *write) {
		b.sent.refusal = b.replica.stopping(b.change)
		w.Expire()
	})
}
