package replica

import (
	"context"
	"iter"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// How long an owner that claims a write waits before it asks again.
const (
	askFirst   = 5 * time.Millisecond
	askLongest = 100 * time.Millisecond
)

// maxRetryAge bounds pb.Put.retry_age_ms, and what else is as long ago.
const maxRetryAge = uint64(365 * 24 * time.Hour / time.Millisecond)

func toRetryAge(ms uint64) time.Duration {
	return time.Duration(min(ms, maxRetryAge)) * time.Millisecond
}

// accumulates reports whether the change must not be applied twice.
func (c change) accumulates() bool { return !c.deletes && !c.touches && c.op.Accumulates(c.kind) }

// ids are those of the write as a delta carries them.
func (w *recentWrite) ids() [][]byte {
	if w.id.id == "" {
		return nil
	}
	return [][]byte{[]byte(w.id.id)}
}

// isOnce reports whether a write is not to be made where it was made before: it
// would count twice; or it would win, with its later stamp, over what was written
// or deleted since by who had seen it. Of what divided collections hold only what
// counts is known by its id.
func (c change) isOnce() bool {
	return c.accumulates() || !c.touches && !c.expires && c.whole == nil
}

// begin finds out whether a write is to be applied here, and enters it into
// the memory if so. Otherwise this node's copy has it, and w says so. Where it
// is not known whether another owner has it the error is mesh.Unavailable.
func (r *Replica) begin(ctx context.Context, c change, w *recentWrite, q quorum, o WriteOptions) error {
	if r.beginFirst(c, w, o) {
		return nil
	}
	if r.memory.Holds(w.id) || r.counted(w.id) {
		w.applied = true
		return nil
	}
	r.memory.Claim(w.id, time.Now())
	granted, err := r.claim(ctx, c, w.id, q, o)
	if !granted {
		r.memory.Unclaim(w.id)
	}
	w.begun, w.applied = granted, !granted && err == nil
	return err
}

// beginFirst is begin for a write that nobody here has heard of. It reports
// whether it is one.
func (r *Replica) beginFirst(c change, w *recentWrite, o WriteOptions) bool {
	w.id = writeID{o.ID, c.key}
	w.begun = o.RetryAge == 0 && r.memory.First(w.id)
	if c.accumulates() {
		w.counts, w.first = lattice.NewWriteID(o.ID), w.begun
	}
	return w.begun
}

// settle tells the memory how the application went that begin allowed.
func (r *Replica) settle(w *recentWrite) {
	if w.begun {
		w.begun = false
		r.memory.Settle(w.id, w.applied, !w.counts.IsZero(), time.Now())
	}
}

// claim asks the other owners until it is known whether one has the write.
// granted says that none has, and that this node goes first; otherwise its
// copy now has the write.
func (r *Replica) claim(ctx context.Context, c change, id writeID, q quorum, o WriteOptions) (granted bool, err error) {
	ctx, cancel := r.attempt(ctx, 0)
	defer cancel()
	began := time.Now()
	for pause := askFirst; ; pause = min(2*pause, askLongest) {
		decision, cell := r.askOwners(ctx, c, id, q, o, o.RetryAge+time.Since(began))
		switch {
		case decision == adopt:
			return false, r.adopt(ctx, id, c.accumulates(), cell)
		case r.memory.Holds(id):
			return false, nil
		case decision == apply && r.memory.Grant(id):
			return true, nil
		case decision == refuse:
			return false, mesh.Errorf(mesh.Unavailable, c.String(), "the write was attempted %v ago, and too few owners can tell whether it took effect", o.RetryAge)
		}
		select {
		case <-ctx.Done():
			return false, mesh.Errorf(mesh.Unavailable, c.String(), "it is not known whether an earlier attempt took effect: an owner does not say")
		case <-time.After(pause):
		}
	}
}

// askOwners asks all other owners at once, and decides. With adopt it gives
// the copy of an owner that has the write.
func (r *Replica) askOwners(ctx context.Context, c change, id writeID, q quorum, o WriteOptions, age time.Duration) (verdict, lattice.Cell) {
	since, gaveWay := r.memory.Own(id)
	own := claim{self: r.Self, age: age, memory: time.Since(since), gaveWay: gaveWay}
	waits := c.accumulates()
	var said []testimony
	for a := range r.askEach(ctx, c, id, waits) {
		if a.standing == held {
			return adopt, a.cell
		}
		said = append(said, a.testimony)
	}
	if !waits {
		return own.DecideByVotes(said, q.known, q.ofKnown), lattice.Cell{}
	}
	decision := own.Decide(said)
	if decision == refuse && o.Insist {
		decision = apply
	}
	return decision, lattice.Cell{}
}

// askEach asks all other owners at once, and gives their answers as they come.
// Unless it waits, those of whom nothing is heard do not answer.
func (r *Replica) askEach(ctx context.Context, c change, id writeID, waits bool) iter.Seq[asked] {
	ask := r.Peers.Call
	if !waits {
		ask = func(ctx context.Context, owner mesh.NodeID, req wire.Message) (wire.Message, error) {
			m, _, err := r.Peers.CallUnlessSilent(ctx, owner, req)
			return m, err
		}
	}
	return func(yield func(asked) bool) {
		others := r.others(r.owners(c.key))
		answers := make(chan asked, len(others))
		for _, owner := range others {
			if !r.spawn(func() { answers <- r.askOwner(ctx, c, id, owner, ask) }) {
				answers <- asked{}
			}
		}
		for range others {
			if !yield(<-answers) {
				return
			}
		}
	}
}

// asked is the answer of an owner; with held, with its copy of the key.
type asked struct {
	testimony
	cell lattice.Cell
}

// asking sends a node a request.
type asking func(ctx context.Context, to mesh.NodeID, req wire.Message) (wire.Message, error)

func (r *Replica) askOwner(ctx context.Context, c change, id writeID, owner mesh.NodeID, ask asking) asked {
	silence := asked{testimony: testimony{owner: owner}}
	m, err := ask(ctx, owner, &pb.AskWrite{Key: wire.FromKey(c.key), WriteId: []byte(id.id)})
	reply, err := as[*pb.AskWriteReply](owner, m, err)
	if err != nil || reply.Standing > uint32(held) {
		return silence
	}
	a := asked{testimony: testimony{
		owner: owner, answered: true, standing: standing(reply.Standing),
		memory: toRetryAge(reply.MemoryMs),
	}}
	if a.standing == held {
		if a.cell, err = lattice.DecodeCell(reply.Cell); err != nil {
			return silence
		}
	}
	return a
}

// adopt merges the copy of an owner that has the write.
func (r *Replica) adopt(ctx context.Context, id writeID, counts bool, cell lattice.Cell) error {
	_, _, err := r.arriving(id.key, [][]byte{[]byte(id.id)}, counts, func() (*pb.MergeReply, error) {
		merged, err := r.Local.Merge(ctx, id.key, cell, mesh.Logged)
		return &pb.MergeReply{Dominated: merged.Dominated}, err
	})
	return err
}

// mayCount reports whether the writes in a delta may count if they are applied twice.
func mayCount(delta lattice.Cell) bool {
	value, ok := delta.Value()
	return ok && value.Kind().Accumulates()
}

// arriving merges a delta that has writes with ids into this node's copy, and
// notes them. They may count, if they were applied twice, or may not. It reports
// whether the delta is of one write that the copy had before.
func (r *Replica) arriving(key mesh.Key, ids [][]byte, counts bool, merge func() (*pb.MergeReply, error)) (reply *pb.MergeReply, had bool, err error) {
	if len(ids) > maxMergeIDs {
		return nil, false, mesh.Errorf(mesh.Invalid, "merge "+key.String(), "%d write ids: expected at most %d", len(ids), maxMergeIDs)
	}
	had, uncontested := len(ids) == 1, len(ids) > 0
	now := time.Now()
	for _, id := range ids {
		hadIt, noneAsked := r.memory.Arrive(writeID{string(id), key}, now)
		had, uncontested = had && hadIt, uncontested && noneAsked
	}
	reply, err = merge()
	if err == nil {
		reply.Uncontested = uncontested
	}
	now = time.Now()
	for _, id := range ids {
		r.memory.Settle(writeID{string(id), key}, err == nil && !reply.Dominated, counts, now)
	}
	return reply, had, err
}

// counted reports whether a counter in this node's copy shows that it has a
// write: it may have been forgotten since, or have come without its id.
func (r *Replica) counted(id writeID) (yes bool) {
	_, err := r.Local.View(id.key, func(cell *lattice.Cell) {
		value, _ := cell.Value()
		yes = value.Counted(lattice.NewWriteID(id.id))
	})
	return yes && err == nil
}

// HandleAskWrite tells another owner whether this node's copy has a write.
func (r *Replica) HandleAskWrite(from mesh.NodeID, m *pb.AskWrite) (*pb.AskWriteReply, error) {
	key, err := wire.ToStoredKey(m.Key)
	if err != nil {
		return nil, err
	}
	if len(m.WriteId) == 0 || len(m.WriteId) > MaxWriteID {
		return nil, mesh.Errorf(mesh.Invalid, "ask "+key.String(), "write id of %d bytes: expected 1 to %d", len(m.WriteId), MaxWriteID)
	}
	now := time.Now()
	reply := &pb.AskWriteReply{Standing: uint32(held)}
	if id := (writeID{string(m.WriteId), key}); !r.counted(id) {
		stands, since := r.memory.Answer(id, from, now)
		reply.Standing, reply.MemoryMs = uint32(stands), uint64(now.Sub(since)/time.Millisecond)
	}
	if reply.Standing == uint32(held) {
		cell, found, err := r.Local.Get(key)
		if err != nil || !found {
			return nil, mesh.Errorf(mesh.Unavailable, "ask "+key.String(), "this node's copy has the write, but cannot be read: %v", err)
		}
		reply.Cell = cell.AppendBinary(nil)
	}
	return reply, nil
}
