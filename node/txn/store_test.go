package txn

import (
	"context"
	"slices"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// step has a node do something at an owner, and reports whether it has heard of it.
func (n *node) step(ctx context.Context, at *node, do func()) bool {
	w := n.w
	w.mu.Lock()
	lag := time.Duration(0)
	if w.lag > 0 {
		lag = time.Duration(w.random.Int64N(int64(w.lag)))
	}
	rest := w.rest[n.self]
	w.mu.Unlock()
	if rest != nil {
		select {
		case <-rest:
		case <-ctx.Done():
			return false
		}
	}
	if lag > 0 && !wait(ctx, lag) {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead[n.self] || w.dead[at.self] || n != at && (w.cut[n.self] || w.cut[at.self]) || ctx.Err() != nil {
		return false
	}
	w.steps[n.self]++
	if w.steps[n.self] == w.dies[n.self] {
		w.dead[n.self] = true
		if w.late {
			do()
		}
		return false
	}
	if w.random.Float64() < w.loss {
		return false
	}
	do()
	return w.random.Float64() >= w.loss
}

// atMost does something at owners, in some order, and returns once two of three
// have answered. The last may be late by any time, or never hear of it.
func (n *node) atMost(ctx context.Context, method string, key mesh.Key, do func(*node)) error {
	w := n.w
	w.mu.Lock()
	w.asked[method]++
	owners := w.owners()
	w.random.Shuffle(len(owners), func(i, j int) { owners[i], owners[j] = owners[j], owners[i] })
	fails, forget := w.fails, w.forget
	straggles := w.random.IntN(2) == 0 && slices.Contains([]string{"write", "keep", "drop"}, method)
	after := w.lag * time.Duration(w.random.IntN(100))
	w.mu.Unlock()
	if fails != nil {
		if err := fails(n.self, method, key); err != nil {
			return err
		}
	}
	answered := 0
	for i, owner := range owners {
		if n.step(ctx, owner, func() { do(owner) }) {
			answered++
		}
		if answered < 2 {
			continue
		}
		if i < 2 && straggles {
			w.work.Go(func() {
				time.Sleep(after)
				w.mu.Lock()
				defer w.mu.Unlock()
				do(owners[2])
			})
		}
		if forget != nil && forget(n.self, method) {
			return errLost
		}
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errLost
}

func (n *node) Latest(ctx context.Context, write Write) (at lattice.Stamp, err error) {
	err = n.atMost(ctx, "latest", write.Key, func(o *node) {
		if has := o.copies[write.Key].at; has.After(at) {
			at = has
		}
	})
	return at, err
}

func (n *node) Write(ctx context.Context, write Write, at lattice.Stamp, needs lattice.Past, sealed bool) (made lattice.Past, err error) {
	by := n.w.at(0).clock.Now()
	if at.IsZero() {
		at = by
	}
	now := version{at, string(write.Value), needs, sealed}
	if write.Deletes {
		now.value = "-"
	}
	err = n.atMost(ctx, "write", write.Key, func(o *node) { o.copies[write.Key] = o.copies[write.Key].join(now) })
	return lattice.PastOf(by), err
}

func (n *node) KeepRecord(ctx context.Context, at lattice.Stamp, record []byte) error {
	n.w.mu.Lock()
	n.w.dots++
	if r, err := decodeRecord(record, at); err == nil {
		n.w.stamps[string(r.writes[0].Value)] = at
	}
	kept := entry{kept: map[int]bool{n.w.dots: true}, record: record}
	n.w.mu.Unlock()
	return n.atMost(ctx, "keep", mesh.Key{}, func(o *node) { o.records[at] = o.records[at].join(kept) })
}

func (n *node) read(ctx context.Context, method string, at lattice.Stamp) (e entry, err error) {
	err = n.atMost(ctx, method, mesh.Key{}, func(o *node) { e = e.join(o.records[at]) })
	return e, err
}

func (n *node) DropRecord(ctx context.Context, at lattice.Stamp) error {
	e, err := n.read(ctx, "find", at)
	if err != nil {
		return err
	}
	dropped := entry{dropped: e.kept}
	return n.atMost(ctx, "drop", mesh.Key{}, func(o *node) { o.records[at] = o.records[at].join(dropped) })
}

func (n *node) Record(ctx context.Context, at lattice.Stamp) ([]byte, bool, error) {
	e, err := n.read(ctx, "record", at)
	if err != nil || !e.exists() {
		return nil, false, err
	}
	return e.record, true, nil
}

func (n *node) Records(_ context.Context, each func(lattice.Stamp, []byte)) error {
	w := n.w
	w.mu.Lock()
	records := map[lattice.Stamp][]byte{}
	for _, owner := range w.owners() {
		if w.dead[owner.self] {
			continue
		}
		if owner == n { // the closest that lives
			for at, e := range n.records {
				if e.exists() {
					records[at] = e.record
				}
			}
		}
		break
	}
	w.mu.Unlock()
	for at, record := range records {
		each(at, record)
	}
	return nil
}

func (n *node) Call(ctx context.Context, to mesh.NodeID, m wire.Message) (wire.Message, error) {
	w := n.w
	w.mu.Lock()
	w.asked["await"]++
	reaches := !w.dead[n.self] && !w.dead[to] && !w.cut[n.self] && !w.cut[to]
	w.mu.Unlock()
	if !reaches {
		return nil, errLost
	}
	reply, err := w.nodes[to].HandleAwaitCommit(ctx, n.self, m.(*pb.AwaitCommit))
	if w.live(to) {
		return reply, err
	}
	return nil, errLost
}

// get reads a key of two owners that live, as a reader at the transactional
// level: what is not sealed is resolved, and read once more.
func (n *node) get(ctx context.Context, key mesh.Key) (version, error) {
	for {
		v, err := n.quorum(ctx, key)
		if err != nil || v.at.IsZero() || v.sealed {
			return v, err
		}
		if err := n.Resolve(ctx, v.at); err != nil {
			return v, err
		}
		again, err := n.quorum(ctx, key)
		if err != nil {
			return v, err
		}
		if again.at == v.at && !again.sealed {
			n.w.t.Errorf("%s of %v was resolved and is not sealed", key, v.at)
			return again, nil
		}
	}
}

func (n *node) quorum(ctx context.Context, key mesh.Key) (v version, err error) {
	for {
		v = version{}
		err = n.atMost(ctx, "get", key, func(o *node) { v = v.join(o.copies[key]) })
		if err == nil || !wait(ctx, time.Millisecond) {
			return v, err
		}
	}
}
