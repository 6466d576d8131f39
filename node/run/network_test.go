package run

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Send encodes, and delivers once or twice after a while. What goes to a
// node whose death nobody has noticed is lost.
func (m *member) Send(ctx context.Context, to mesh.NodeID, msg wire.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	frame, err := wire.AppendFrame(nil, wire.Header{Flags: wire.OneWay}, msg)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent[string(msg.ProtoReflect().Descriptor().Name())]++
	if m.sendErr != nil {
		if err := m.sendErr(to, msg); err != nil {
			return err
		}
	}
	switch {
	case m.dead[m.self]:
		return nil
	case m.seenDead[to]:
		return mesh.Errorf(mesh.Unavailable, "send", "node %s is dead", string(to))
	}
	copies := 1
	if m.twice && m.rand.IntN(4) == 0 {
		copies = 2
	}
	for range copies {
		time.AfterFunc(m.draw(), func() { m.deliver(to, frame) })
	}
	return nil
}

func (c *cluster) draw() time.Duration {
	if c.delay == 0 {
		return 0
	}
	return time.Duration(c.rand.Int64N(int64(c.delay)))
}

func (m *member) deliver(to mesh.NodeID, frame []byte) {
	m.mu.Lock()
	r, dead := m.nodes[to], m.dead[to]
	m.mu.Unlock()
	if dead {
		return
	}
	header, err := wire.ParseHeader(frame, 1<<30)
	if err != nil {
		m.t.Error(err)
		return
	}
	msg, err := wire.ParseBody(header.Type, frame[wire.HeaderSize:])
	if err != nil {
		m.t.Error(err)
		return
	}
	switch msg := msg.(type) {
	case *pb.Hop:
		err = r.HandleHop(m.self, msg)
	case *pb.SinkResult:
		err = r.HandleSinkResult(m.self, msg)
	case *pb.EndRun:
		err = r.HandleEndRun(m.self, msg)
	}
	if err != nil {
		m.t.Errorf("%T from %s to %s: %v", msg, string(m.self), string(to), err)
	}
}

func (m *member) Call(ctx context.Context, to mesh.NodeID, msg wire.Message) (wire.Message, error) {
	m.mu.Lock()
	r, dead := m.nodes[to], m.dead[to]
	m.mu.Unlock()
	if dead {
		return nil, mesh.Errorf(mesh.Unavailable, "call", "node %s is dead", string(to))
	}
	switch msg := msg.(type) {
	case *pb.AwaitRun:
		record, err := r.Await(ctx, mesh.RunID(msg.RunId), msg.NoWait)
		if err != nil {
			return nil, err
		}
		return record.Message(), nil
	case *pb.CancelRun:
		return &pb.Done{}, r.Cancel(ctx, mesh.RunID(msg.RunId))
	}
	return nil, mesh.Errorf(mesh.Internal, "call", "%T", msg)
}
