package replica

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// WriteOptions are what one write asks for. The zero value asks for nothing special.
type WriteOptions struct {
	// Quorum is how many owners must hold the write before it is answered.
	// 0: the node's default, or all that are known where there are fewer. From
	// the default on, that many must own the key also when nobody is away.
	Quorum int
	// Durability that each owner's copy must have to count; the zero value is the node's default.
	Durability mesh.Durability
	// ID, drawn by the client, makes a retry of the same write merge to
	// nothing new. Up to MaxWriteID bytes. Empty: each Put is a write of its own.
	ID string
	// RetryAge, of a retry, is how long ago the write was first attempted, at
	// whichever node: the other owners are asked whether they have it. 0: it
	// never was.
	RetryAge time.Duration
	// Insist makes a retry where an owner does not remember so far back whether
	// it had the write, and nobody says that it has. Without it that is Unavailable.
	// For counters their own records tell, mostly: docs/semantics.md.
	Insist bool
	// Behind answers when this node has taken the write, with Durability, and
	// makes it then: write-behind. What goes wrong afterwards only the log tells.
	Behind bool
	// After, of a session, is what whoever has the write must have, too: the
	// write is made by an owner that has it, and takes it along.
	After lattice.Cell
	// AfterMost is After for what the session has seen and is too large to
	// tell, but is held by most owners.
	AfterMost bool
	// Made, if it is not nil, takes the delta that the write has made if that
	// is no longer than TellBytes. Where it is left as it is, most owners,
	// those that are away included, hold the write.
	Made      *lattice.Cell
	TellBytes int
	// Causes, unless it is nil, is what the writer had seen: the write gets a
	// later stamp, and the key tells its readers (lattice.Write.Causes), unless
	// that is Untold.
	Causes *lattice.Past
	Untold bool
	// At, unless it is zero, is the stamp of the write, which a transaction has drawn
	// for all of its writes: to make it again, through whichever owner, changes
	// nothing but what the key tells of Causes, and it loses against what is later.
	// It is for sets of lww registers and for deletes, with Causes that are told,
	// without TTL and Behind; ID has no meaning. A delete ends also what was
	// written later if the owner that makes it does not know of that: AfterMost.
	At lattice.Stamp
	// Sealed, with At, says that Causes have all writes of the transaction.
	Sealed bool
	// Wrote, if it is not nil, takes which write has been made.
	Wrote *Wrote
	// TTL is how long the key is kept from the write on, up to MaxTTL; 0: a
	// register for ever, and what is added to as long as it was.
	TTL time.Duration
	// StampAfter and StampBy, of a write that another node passes on, bound the
	// lattice.Stamp.Time that it gets: docs/rationale/late-writes.md. 0: they do not.
	StampAfter, StampBy uint64
	// Forwarded says that another node sent the write here. It is not sent on.
	Forwarded bool
}

// MaxWriteID bounds the id of a write, in bytes: many are remembered.
const MaxWriteID = 64

// Put applies an operation to a key and answers when enough owners hold it.
// With mesh.Unavailable too few did: the write may still take effect, and its
// owners are owed what reached this node. mesh.KindMismatch changes nothing.
func (r *Replica) Put(ctx context.Context, key mesh.Key, kind lattice.Kind, op lattice.Op, o WriteOptions) (mesh.Ack, error) {
	return r.change(ctx, o.put(key, kind, op), o)
}

// put is the change that a put with these options asks for.
func (o WriteOptions) put(key mesh.Key, kind lattice.Kind, op lattice.Op) change {
	return putting(o.on(change{key: key, kind: kind, op: op, ttl: o.TTL}))
}

// Delete deletes a key, whether it exists or not; otherwise it is like Put.
func (r *Replica) Delete(ctx context.Context, key mesh.Key, o WriteOptions) (mesh.Ack, error) {
	return r.change(ctx, o.on(change{key: key, deletes: true}), o)
}

// on adds to a change what concerns the session that it is made for.
func (o WriteOptions) on(c change) change {
	c.after, c.most, c.made, c.tells, c.causes, c.untold, c.wrote = o.After, o.AfterMost, o.Made, o.TellBytes, o.Causes, o.Untold, o.Wrote
	c.at, c.sealed, c.stampAfter, c.stampBy = o.At, o.Sealed, o.StampAfter, o.StampBy
	return c
}

// Wrote says which writes have been made.
type Wrote struct {
	mu   sync.Mutex
	made lattice.Past
}

// Made is what was written.
func (w *Wrote) Made() lattice.Past {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.made
}

func (w *Wrote) add(made lattice.Past) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made = w.made.Join(made)
}

// change is what a write does: it deletes, expires, makes its delta, or applies an operation.
type change struct {
	key     mesh.Key  // of a part, where it changes one
	whole   *mesh.Key // of the divided collection that it changes; nil: of no such
	deletes bool
	expires bool         // it deletes the key if that has expired
	kind    lattice.Kind // of an operation, in this and other nodes' words
	op      lattice.Op
	ttl     time.Duration // that it gives the key; 0: none
	touches bool          // it gives that, or else keeps the key for ever, and does nothing else
	make    func(have lattice.Cell, at lattice.Write) (lattice.Cell, error)
	after   lattice.Cell  // WriteOptions.After
	most    bool          // WriteOptions.AfterMost
	made    *lattice.Cell // WriteOptions.Made
	tells   int           // WriteOptions.TellBytes
	causes  *lattice.Past // WriteOptions.Causes
	untold  bool          // WriteOptions.Untold
	wrote   *Wrote        // WriteOptions.Wrote
	at      lattice.Stamp // WriteOptions.At
	sealed  bool          // WriteOptions.Sealed
	by      time.Time     // mesh.BeginBy

	stampAfter, stampBy uint64 // as in WriteOptions
}

// inTime is nil unless it is too late to begin the change: who asked for it may
// have gone elsewhere with it.
func (c change) inTime(now time.Time) error {
	if c.by.IsZero() || !now.After(c.by) {
		return nil
	}
	return mesh.Errorf(mesh.Unavailable, c.String(), "%w", mesh.ErrLate)
}

func (c change) String() string {
	verb := "put "
	switch {
	case c.deletes:
		verb = "delete "
	case c.expires:
		verb = "expire "
	case c.touches:
		verb = "touch "
	}
	return verb + c.key.String()
}

// message is the change as a request that an owner is to coordinate.
func (c change) message(o WriteOptions) wire.Message {
	if c.deletes {
		return &pb.Delete{
			Key: wire.FromKey(c.key), WriteQuorum: uint32(o.Quorum), Durability: uint32(o.Durability),
			WriteId: []byte(o.ID), RetryAgeMs: o.retryAgeMs(), StampAfter: o.StampAfter, StampBy: o.StampBy, Forwarded: true,
			After: encodeAfter(o.After), AfterMost: o.AfterMost, TellBytes: uint32(o.TellBytes),
			Causes: encodeCauses(o.Causes), CausesUntold: o.Untold,
			AtTime: o.At.Time, AtNode: []byte(o.At.Node), Sealed: o.Sealed,
		}
	}
	if c.touches {
		return &pb.Touch{
			Key: wire.FromKey(c.key), TtlMs: toMillis(c.ttl),
			WriteQuorum: uint32(o.Quorum), Durability: uint32(o.Durability), WriteId: []byte(o.ID), Forwarded: true,
		}
	}
	return &pb.Put{
		Key: wire.FromKey(c.key), Kind: uint32(c.kind), Op: c.op.AppendBinary(nil), TtlMs: toMillis(c.ttl),
		WriteQuorum: uint32(o.Quorum), Durability: uint32(o.Durability), WriteId: []byte(o.ID), Forwarded: true,
		RetryAgeMs: o.retryAgeMs(), Insist: o.Insist, StampAfter: o.StampAfter, StampBy: o.StampBy,
		After: encodeAfter(o.After), AfterMost: o.AfterMost, TellBytes: uint32(o.TellBytes),
		Causes: encodeCauses(o.Causes), CausesUntold: o.Untold,
		AtTime: o.At.Time, AtNode: []byte(o.At.Node), Sealed: o.Sealed,
	}
}

func (o WriteOptions) retryAgeMs() uint64 {
	return uint64((o.RetryAge + time.Millisecond - 1) / time.Millisecond)
}

func (c change) validate(o WriteOptions) error {
	switch {
	case len(o.ID) > MaxWriteID:
		return mesh.Errorf(mesh.Invalid, c.String(), "write id of %d bytes: expected at most %d", len(o.ID), MaxWriteID)
	case c.ttl < 0 || c.ttl > MaxTTL:
		return mesh.Errorf(mesh.Invalid, c.String(), "a time to live of %v: expected 1 ms to %v", c.ttl, MaxTTL)
	}
	if err := c.validateAt(o); err != nil {
		return err
	}
	return c.key.Validate()
}

func (r *Replica) change(ctx context.Context, c change, o WriteOptions) (mesh.Ack, error) {
	if err := c.validate(o); err != nil {
		return mesh.Ack{}, err
	}
	c.by = mesh.BeginBy(ctx)
	if o.Behind {
		return r.writeBehind(ctx, c, o)
	}
	if err := r.home("put"); err != nil {
		return mesh.Ack{}, err
	}
	if owners := r.owners(c.key); !o.Forwarded && len(owners) > 0 && !slices.Contains(owners, r.Self) {
		return r.forward(ctx, c, owners, o)
	}
	if err := r.mayAdd(c); err != nil {
		return mesh.Ack{}, err
	}
	q, err := r.writeQuorum(c, o.Quorum)
	if err != nil {
		return mesh.Ack{}, err
	}
	o.Durability = cmp.Or(o.Durability, r.Durability)
	if c.kind.Divisible() {
		return r.changeCollection(ctx, c, q, o)
	}
	return r.coordinateChange(ctx, c, q, o)
}

// mayAdd is an Overloaded error while too much is on its way to other nodes.
func (r *Replica) mayAdd(c change) error {
	sending, bytes := r.sending.Load(), r.sendingBytes.Load()
	if sending < int64(r.Sending) && bytes < r.SendingBytes {
		return nil
	}
	return mesh.Errorf(mesh.Overloaded, c.String(), "%d deltas of %d bytes are on their way to other nodes: expected less than %d, and less than %d bytes", sending, bytes, r.Sending, r.SendingBytes)
}

// coordinateChange coordinates a change of one cell.
func (r *Replica) coordinateChange(ctx context.Context, c change, q quorum, o WriteOptions) (mesh.Ack, error) {
	if o.ID == "" || !o.At.IsZero() {
		return r.coordinate(ctx, c, q, o.Durability, &recentWrite{})
	}
	return r.coordinateOnce(ctx, c, q, o)
}

// coordinateOnce coordinates a write with an id: a retry waits for the first
// attempt, and takes up what that has left.
func (r *Replica) coordinateOnce(ctx context.Context, c change, q quorum, o WriteOptions) (mesh.Ack, error) {
	w, err := r.recent.take(ctx, writeID{o.ID, c.key})
	if err != nil {
		return mesh.Ack{}, mesh.AsError(c.String(), err)
	}
	defer r.recent.rest(w)
	if w.acked && w.ack.Replicas >= q.need && w.ack.Durability >= o.Durability && c.made == nil && c.wrote == nil {
		return w.ack, nil
	}
	if c.isOnce() && !w.applied {
		if err := r.begin(ctx, c, w, q, o); err != nil {
			return mesh.Ack{}, err
		}
		defer r.settle(w)
	}
	return r.coordinate(ctx, c, q, o.Durability, w)
}

// forward lets the closest owner that can coordinate the write. One that did
// not answer may have applied it all the same: the next is told so. Those of
// whom nothing is heard are waited for at last, and so are those that say that
// it came too late.
func (r *Replica) forward(ctx context.Context, c change, owners []mesh.NodeID, o WriteOptions) (mesh.Ack, error) {
	if o.ID == "" {
		o.ID = rand.Text()
	}
	var last error
	began := time.Now()
	age := o.RetryAge
	var again []mesh.NodeID
	for at := 0; at < len(owners)+len(again); at++ {
		patient := at >= len(owners)
		owner := slices.Concat(owners, again)[at]
		if at > 0 { // the one before may have it
			o.RetryAge = age + max(time.Since(began), time.Millisecond)
			o.StampAfter = o.StampBy
		}
		if err := c.inTime(time.Now()); err != nil {
			return mesh.Ack{}, err
		}
		if o.RetryAge > 0 { // it asks the others whether they have it
			r.Peers.TellSilent(ctx, owner, owners)
		}
		stampBy := o.StampBy
		ack, silent, err := r.forwardTo(ctx, owner, c, &o, patient)
		if err == nil {
			r.passHorizon(ctx, o.StampAfter)
			return ack, nil
		}
		if !fallsOver(ctx, err) {
			return ack, err
		}
		late := errors.Is(err, mesh.ErrLate)
		if late || errors.Is(err, mesh.ErrUnsent) {
			o.StampBy = stampBy // it has stamped nothing
		}
		if (silent || late) && !patient {
			again = append(again, owner)
		}
		last = err
	}
	return mesh.Ack{}, mesh.Errorf(mesh.Unavailable, c.String(), "none of %d owners took the write: %w", len(owners), last)
}

// forwardTo asks one owner. That must not begin the write any more when another
// is asked, or when who asked this node may have gone elsewhere. It notes in the
// options by when the owner may have stamped the write.
func (r *Replica) forwardTo(ctx context.Context, owner mesh.NodeID, c change, o *WriteOptions, patient bool) (ack mesh.Ack, silent bool, err error) {
	var tooLate uint64
	for range maxStampings {
		if ack, tooLate, silent, err = r.forwardOnce(ctx, owner, c, o, tooLate, patient); err != nil || tooLate == 0 {
			return ack, silent, err
		}
	}
	return ack, false, mesh.Errorf(mesh.Unavailable, c.String(), "the clock of node %s runs away", owner.Short())
}

func (r *Replica) forwardOnce(ctx context.Context, owner mesh.NodeID, c change, o *WriteOptions, wasTooLate uint64, patient bool) (ack mesh.Ack, tooLate uint64, silent bool, err error) {
	req, made := c.message(*o), c.made
	size := proto.Size(req)
	within := mesh.FreshFor(size)
	r.bindStamp(c, o, req, within, wasTooLate, patient)
	if patient {
		within = 2 * r.patience(size) // the owner may itself wait for one that died
	}
	if !c.by.IsZero() {
		within = min(within, time.Until(c.by))
	}
	ctx, cancel := context.WithTimeout(ctx, 2*r.patience(size))
	defer cancel()
	m, silent, err := r.Peers.CallFresh(ctx, owner, req, within, patient)
	reply, err := as[*pb.PutReply](owner, m, err)
	if err != nil {
		return mesh.Ack{}, 0, silent, err
	}
	if made != nil && len(reply.Cell) > 0 {
		if *made, err = lattice.DecodeCell(reply.Cell); err != nil {
			return mesh.Ack{}, 0, false, mesh.Errorf(mesh.Internal, "forward a write", "%w", err)
		}
	}
	wrote, err := lattice.DecodePast(reply.GetWrote())
	if len(reply.GetWrote()) > 0 && err != nil {
		return mesh.Ack{}, 0, false, mesh.Errorf(mesh.Internal, "forward a write", "%w", err)
	}
	c.wrote.add(wrote)
	return mesh.Ack{Replicas: int(reply.Replicas), Durability: mesh.Durability(min(reply.Durability, 255))}, reply.TooLate, false, nil
}

// call sends a request whose reply is of one type.
func call[R wire.Message](ctx context.Context, peers Peers, node mesh.NodeID, req wire.Message) (R, error) {
	reply, err := peers.Call(ctx, node, req)
	return as[R](node, reply, err)
}

// as gives a node's reply as the type that was expected.
func as[R wire.Message](node mesh.NodeID, reply wire.Message, err error) (R, error) {
	var none R
	if err != nil {
		return none, err
	}
	typed, ok := reply.(R)
	if !ok {
		return none, mesh.Errorf(mesh.Internal, "request", "node %s answered with %T: expected %T", node.Short(), reply, none)
	}
	return typed, nil
}
