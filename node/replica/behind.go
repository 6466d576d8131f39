package replica

import (
	"context"
	"crypto/rand"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// behind holds the writes that this node has taken and is yet to make, in
// order for each key. They are in the store, too.
type behind struct {
	count atomic.Int64
	mu    sync.Mutex
	byKey map[mesh.Key]*backlog
}

// backlog is the writes of one key. One goroutine makes them.
type backlog struct {
	writes []taken
	empty  chan struct{} // closed when all were made
}

// taken is one write, and its number in the store.
type taken struct {
	change  change
	options WriteOptions
	number  uint64
	since   time.Time // it was taken
}

// writeBehind takes a write, and answers as soon as it cannot be forgotten.
// The answer says that no owner holds it yet.
func (r *Replica) writeBehind(ctx context.Context, c change, o WriteOptions) (mesh.Ack, error) {
	if err := c.inTime(time.Now()); err != nil {
		return mesh.Ack{}, err
	}
	c.by = time.Time{} // it has begun
	if n := r.behind.count.Load(); n >= int64(r.Behind) {
		return mesh.Ack{}, mesh.Errorf(mesh.Overloaded, c.String(), "%d writes are waiting to be made: expected less than %d", n, r.Behind)
	}
	if o.Durability == mesh.DefaultDurability {
		o.Durability = r.Durability
	}
	if o.ID == "" {
		o.ID = rand.Text()
	}
	o.Behind = false
	request, err := wire.AppendFrame(nil, wire.Header{}, c.message(o))
	if err != nil {
		return mesh.Ack{}, mesh.AsError(c.String(), err)
	}
	number, err := r.Local.Enqueue(ctx, request, o.Durability)
	if err != nil {
		return mesh.Ack{}, err
	}
	if !r.queue(taken{change: c, options: o, number: number, since: time.Now()}) {
		return mesh.Ack{}, mesh.Errorf(mesh.Unavailable, c.String(), "this node is stopping: the write is made when it starts again")
	}
	return mesh.Ack{Durability: o.Durability}, nil
}

// queue puts a write behind those of its key.
func (r *Replica) queue(w taken) bool {
	r.behind.mu.Lock()
	defer r.behind.mu.Unlock()
	r.behind.count.Add(1)
	if log := r.behind.byKey[w.change.key]; log != nil {
		log.writes = append(log.writes, w)
		return true
	}
	log := &backlog{writes: []taken{w}, empty: make(chan struct{})}
	if !r.spawn(func() { r.catchUp(w.change.key, log) }) {
		r.behind.count.Add(-1)
		return false
	}
	if r.behind.byKey == nil {
		r.behind.byKey = make(map[mesh.Key]*backlog)
	}
	r.behind.byKey[w.change.key] = log
	return true
}

// catchUp makes the writes of one key, one after another.
func (r *Replica) catchUp(key mesh.Key, log *backlog) {
	for {
		r.behind.mu.Lock()
		if len(log.writes) == 0 {
			delete(r.behind.byKey, key)
			close(log.empty)
			r.behind.mu.Unlock()
			return
		}
		next := log.writes[0]
		log.writes = log.writes[1:]
		r.behind.mu.Unlock()
		r.make(next)
		r.behind.count.Add(-1)
		if r.background.Err() != nil {
			return
		}
	}
}

// make makes a write that was taken, as often as it takes, unless the node
// stops before.
func (r *Replica) make(w taken) {
	for wait := r.RetryFirst; ; wait = min(2*wait, r.RetryLongest) {
		_, err := r.change(r.background, w.change, w.options)
		switch {
		case r.background.Err() != nil:
			return
		case err != nil && retryable(err):
			r.Log.Debug("a write that was taken could not be made yet", "key", w.change.key.String(), "err", err)
			w.options.RetryAge = time.Since(w.since)
			select {
			case <-time.After(wait):
				continue
			case <-r.background.Done():
				return
			}
		case err != nil:
			r.Log.Error("a write that was taken cannot be made, and is given up", "key", w.change.key.String(), "err", err)
		}
		if err := r.Local.Dequeue(w.number); err != nil {
			r.Log.Warn("a write that was made is kept, and will be made again", "key", w.change.key.String(), "err", err)
		}
		return
	}
}

func retryable(err error) bool {
	kind := mesh.KindOf(err)
	return kind.Retryable() || kind == mesh.DeadlineExceeded
}

// Pending is how many writes this node has taken and is yet to make.
func (r *Replica) Pending() int { return int(r.behind.count.Load()) }

// caughtUp waits until the writes of a key that this node has taken so far
// were made, so that who reads through the node that took a write sees it.
func (r *Replica) caughtUp(ctx context.Context, key mesh.Key) error {
	if r.behind.count.Load() == 0 {
		return nil
	}
	r.behind.mu.Lock()
	log := r.behind.byKey[key]
	r.behind.mu.Unlock()
	if log == nil {
		return nil
	}
	select {
	case <-log.empty:
		return nil
	case <-ctx.Done():
		return mesh.AsError("get "+key.String(), ctx.Err())
	case <-r.background.Done():
		return mesh.Errorf(mesh.Unavailable, "get "+key.String(), "this node is stopping")
	}
}

// recallTaken takes up the writes that earlier runs of this node have left.
func (r *Replica) recallTaken(ctx context.Context) {
	var left []taken
	err := r.Local.Queued(ctx, func(number uint64, request []byte) {
		w, err := decodeTaken(request)
		if err != nil {
			r.Log.Error("a write that was taken is damaged and given up", "err", err)
			return
		}
		w.number, w.since = number, time.Now()
		w.options.RetryAge = max(w.options.RetryAge, time.Millisecond) // it may have been made
		left = append(left, w)
	})
	if err != nil {
		r.Log.Error("cannot read the writes that were taken", "err", err)
	}
	for _, w := range left {
		r.queue(w)
	}
}

func decodeTaken(request []byte) (taken, error) {
	header, err := wire.ParseHeader(request, math.MaxUint32)
	if err != nil {
		return taken{}, err
	}
	m, err := wire.ParseBody(header.Type, request[wire.HeaderSize:])
	if err != nil {
		return taken{}, err
	}
	switch m := m.(type) {
	case *pb.Put:
		key, err := wire.ToKey(m.Key)
		if err != nil {
			return taken{}, err
		}
		op, err := lattice.DecodeOp(m.Op)
		return taken{
			change:  putting(change{key: key, kind: lattice.Kind(min(m.Kind, 255)), op: op, ttl: fromMillis(m.TtlMs)}),
			options: WriteOptions{Quorum: int(m.WriteQuorum), Durability: mesh.Durability(m.Durability), ID: string(m.WriteId)},
		}, err
	case *pb.Delete:
		key, err := wire.ToKey(m.Key)
		return taken{
			change:  change{key: key, deletes: true},
			options: WriteOptions{Quorum: int(m.WriteQuorum), Durability: mesh.Durability(m.Durability), ID: string(m.WriteId)},
		}, err
	}
	return taken{}, mesh.Errorf(mesh.Internal, "taken write", "%T: expected a put or a delete", m)
}
