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
	if m.sending != nil {
		m.sending(ctx, msg)
	}
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
		if err := m.sendErr(to, msg); err == errDropped {
			return nil
		} else if err != nil {
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

// messages counts those of a type that were sent.
func (c *cluster) messages(of string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sent[of]
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
	case *pb.EndRuns:
		err = r.HandleEndRuns(m.self, msg)
	case *pb.AmendRun:
		err = r.HandleAmendRun(m.self, msg)
	}
	if err != nil {
		m.t.Errorf("%T from %s to %s: %v", msg, string(m.self), string(to), err)
	}
}

// invoke lets a node execute a function for this one. When it dies meanwhile,
// the caller notices.
func (m *member) invoke(ctx context.Context, to mesh.NodeID, msg *pb.Invoke) (wire.Message, error) {
	m.mu.Lock()
	r := m.nodes[to]
	m.mu.Unlock()
	reply, err := r.HandleInvoke(ctx, msg)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead[to] {
		return nil, mesh.Errorf(mesh.Unavailable, "call", "the connection to node %s ended", string(to))
	}
	if err != nil {
		return nil, wire.ToError(wire.FromError(err, to))
	}
	return reply, nil
}

func (c *cluster) drawn() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.draw()
}

func (m *member) Call(ctx context.Context, to mesh.NodeID, msg wire.Message) (wire.Message, error) {
	m.mu.Lock()
	r, dead := m.nodes[to], m.dead[to] || m.cutOff[to] || m.cutOff[m.self]
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
	case *pb.Invoke:
		time.Sleep(m.drawn())
		return m.invoke(ctx, to, msg)
	case *pb.CancelRun:
		return &pb.Done{}, r.Cancel(ctx, mesh.RunID(msg.RunId))
	case *pb.SurveyRun:
		return r.HandleSurveyRun(m.self, msg)
	case *pb.CheckRuns:
		return r.HandleCheckRuns(m.self, msg)
	}
	return nil, mesh.Errorf(mesh.Internal, "call", "%T", msg)
}

// CallUnlessSilent takes as long there and back as messages do. A node that
// is dead, or dies meanwhile, is silent after a tenth of a second.
func (m *member) CallUnlessSilent(ctx context.Context, to mesh.NodeID, msg wire.Message) (wire.Message, bool, error) {
	if m.silent(to) {
		<-time.After(100 * time.Millisecond)
		return nil, true, mesh.Errorf(mesh.Unavailable, "call", "node %s is silent", string(to))
	}
	m.mu.Lock()
	there, back := m.draw(), m.draw()
	m.mu.Unlock()
	<-time.After(there)
	reply, err := m.Call(ctx, to, msg)
	<-time.After(back)
	return reply, false, err
}

func (m *member) silent(to mesh.NodeID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead[to]
}
