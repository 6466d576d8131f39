package node

import (
	"context"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/node/exec"
	"github.com/virga-mesh/virga/sdk/fn"
)

// sendMessage hands a message to an invocation: here, or on the node in its
// id. What an invocation of this node sends, by its worker, is numbered here.
func (r *rooms) sendMessage(ctx context.Context, m *pb.SendMessage) (wire.Message, error) {
	to, err := mesh.ParseInvocationID(m.GetTo())
	if err != nil {
		return nil, err
	}
	message, err := parseMessage(m)
	if err != nil {
		return nil, err
	}
	if message.From.Node == r.self && message.Number == 0 {
		if sender, err := r.exec.Library(message.From); err == nil {
			return nil, sender.Send(ctx, to, message.Body)
		}
	}
	if to.Node == r.self {
		return nil, r.exec.Deliver(to, message)
	}
	_, err = r.peers.Call(ctx, to.Node, m)
	return nil, err
}

func parseMessage(m *pb.SendMessage) (exec.Message, error) {
	from, err := mesh.ParseInvocationID(m.GetFrom())
	if err != nil {
		return exec.Message{}, err
	}
	body, err := wire.ToValue(m.Body)
	return exec.Message{Message: fn.Message{From: from, Body: body}, Number: m.Number, After: m.After}, err
}

// correspondence numbers what one invocation sends, to each receiver.
type correspondence struct {
	lock sync.Mutex
	to   map[mesh.InvocationID]*letters
}

// letters are the messages to one receiver. Holding its turn is the right to send.
type letters struct {
	turn  chan struct{} // of capacity 1: full while nobody sends
	sent  uint64
	taken uint64 // the last that was taken
}

// maxReceivers bounds to how many others one invocation may send.
const maxReceivers = 4096

func (c *correspondence) with(to mesh.InvocationID) (*letters, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if at := c.to[to]; at != nil {
		return at, nil
	}
	if len(c.to) >= maxReceivers {
		return nil, mesh.Errorf(mesh.Overloaded, "send", "the invocation has sent to %d others: expected at most that", maxReceivers)
	}
	if c.to == nil {
		c.to = map[mesh.InvocationID]*letters{}
	}
	at := &letters{turn: make(chan struct{}, 1)}
	at.turn <- struct{}{}
	c.to[to] = at
	return at, nil
}

// Send hands a message over directly; where the receiver's node cannot be
// reached, by way of the store.
func (l *library) Send(ctx context.Context, to mesh.InvocationID, body mesh.Value) error {
	letters, err := l.sent.with(to)
	if err != nil {
		return err
	}
	select {
	case <-letters.turn:
		defer func() { letters.turn <- struct{}{} }()
	case <-ctx.Done():
		return mesh.AsError("send", ctx.Err())
	}
	letters.sent++
	m := &pb.SendMessage{
		From: l.id.String(), To: to.String(), Body: wire.FromValue(body), Number: letters.sent, After: letters.taken,
	}
	if err := l.rooms.carry(ctx, to, m); err != nil {
		return err
	}
	letters.taken = letters.sent
	return nil
}

// carry brings a numbered message to its receiver's node, or leaves it in the store.
func (r *rooms) carry(ctx context.Context, to mesh.InvocationID, m *pb.SendMessage) error {
	if to.Node == r.self {
		message, err := parseMessage(m)
		if err != nil {
			return err
		}
		return r.exec.Deliver(to, message)
	}
	_, _, err := r.peers.CallUnlessSilent(ctx, to.Node, m)
	if mesh.KindOf(err) != mesh.Unavailable || err == nil || !r.isMember(to.Node) {
		return err
	}
	return r.leaveMessage(ctx, to, m, err)
}

// isMember reports whether a node is one of the mesh, if perhaps missing.
func (r *rooms) isMember(node mesh.NodeID) bool {
	for _, member := range r.dht.Known() {
		if member.ID == node {
			return true
		}
	}
	return false
}

// Recv looks for messages that were left in the store for invocations of this
// node: the executor, which has the inboxes, asks while one waits.
func (l *library) Recv(ctx context.Context, _ time.Duration) ([]fn.Message, error) {
	l.rooms.fetchLeft(ctx)
	return nil, nil
}
