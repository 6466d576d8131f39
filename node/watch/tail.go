package watch

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Bounds of what one node tells at once.
const (
	maxTold      = 512       // keys
	maxToldBytes = 256 << 10 // of cells, but for the last
	maxCell      = 1 << 20   // bytes in memory of a cell that is told
)

// HandleTail answers another node with the changes of this node's own copies.
// Without any it waits for a first one, as long as it is asked to.
func (w *Watches) HandleTail(ctx context.Context, m *pb.Tail) (*pb.TailReply, error) {
	s := scope{m.Namespace, m.Prefix, m.Exact}
	if err := s.validate(); err != nil {
		return nil, err
	}
	ctx, leave, err := w.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	ring := w.Ring
	from := m.From
	if m.Now || !ring.holds(m.Incarnation, from) {
		return &pb.TailReply{Incarnation: ring.incarnation, Next: ring.end(), Lost: !m.Now}, nil
	}
	patience := time.NewTimer(time.Duration(min(m.WaitMs, maxWaitMs)) * time.Millisecond)
	defer patience.Stop()
	for {
		reply := w.tell(s, from)
		if reply.Lost || len(reply.Keys) > 0 || m.WaitMs == 0 {
			return reply, nil
		}
		from = reply.Next
		select {
		case <-ring.beyond(from):
			if err := w.pause(ctx, w.Gather); err != nil {
				return nil, err
			}
		case <-patience.C:
			return reply, nil
		case <-ctx.Done():
			return nil, mesh.AsError("watch", context.Cause(ctx))
		}
	}
}

// holds reports whether n is a number of the ring's: of this run of the node,
// or the first one, where nothing was before it.
func (r *Ring) holds(incarnation, n uint64) bool {
	return incarnation == r.incarnation || incarnation == 0 && n == 0 && r.whole
}

// tell reads the state of the keys that changed.
func (w *Watches) tell(s scope, from uint64) *pb.TailReply {
	lost := &pb.TailReply{Incarnation: w.Ring.incarnation, Next: w.Ring.end(), Lost: true}
	limit := maxTold
	for {
		changed, next, ok := w.Ring.since(s, from, limit)
		if !ok {
			return lost
		}
		keys, fit, ok := w.read(changed)
		switch {
		case !ok:
			return lost
		case fit == len(changed):
			return &pb.TailReply{Incarnation: w.Ring.incarnation, Next: next, Keys: keys}
		}
		limit = fit
	}
}

// read gives the state of keys, of as many as fit. ok is false for a key that
// this node owns and holds nothing of: the mark of its delete is gone.
func (w *Watches) read(changed []change) (keys []*pb.TailedKey, fit int, ok bool) {
	bytes := 0
	for i, c := range changed {
		if bytes > maxToldBytes {
			return keys, i, true
		}
		cell, found, err := w.Local.Get(c.key)
		if err == nil && !found && !c.part {
			if w.Placement.Owns(c.key, w.Replicas) {
				return nil, 0, false
			}
			continue // handed over to its owners, who tell of it
		}
		told := tellCell(c.key.Name, cell, found && err == nil)
		bytes += len(told.Cell)
		keys = append(keys, told)
	}
	return keys, len(changed), true
}

// tellCell tells a cell, unless it is not known, or more than can be told.
func tellCell(name string, cell lattice.Cell, known bool) *pb.TailedKey {
	if known && cell.Expired(time.Now) {
		cell = cell.Expire()
	}
	value, _ := cell.Value()
	if !known || value.Divided() || cell.Size() > maxCell {
		return &pb.TailedKey{Name: name, Omitted: true}
	}
	return &pb.TailedKey{Name: name, Cell: cell.AppendBinary(nil)}
}

// pause waits, unless the context ends first.
func (w *Watches) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return mesh.AsError("watch", context.Cause(ctx))
	}
}
