package sdk

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/sdk/fn"
)

// Send hands a message to a running invocation, wherever it runs. One that
// does not run any more is NotFound, one whose inbox is full Overloaded.
func (c *Client) Send(ctx context.Context, from, to mesh.InvocationID, body mesh.Value) error {
	_, err := do[*pb.Done](ctx, c, "send to "+to.String(), &pb.SendMessage{
		From: from.String(), To: to.String(), Body: wire.FromValue(body),
	})
	return err
}

// Receive drains the inbox of an invocation that runs in this client's
// process. With nothing there it waits up to wait for a first message, then
// answers with none.
func (c *Client) Receive(ctx context.Context, id mesh.InvocationID, wait time.Duration) ([]fn.Message, error) {
	reply, err := do[*pb.ReceiveReply](ctx, c, "receive at "+id.String(), &pb.Receive{
		Invocation: id.String(), WaitUs: uint64(max(0, wait) / time.Microsecond),
	})
	if err != nil {
		return nil, err
	}
	return convert(reply.Messages, toMessage)
}

func toMessage(m *pb.SendMessage) (fn.Message, error) {
	from, err := mesh.ParseInvocationID(m.From)
	if err != nil {
		return fn.Message{}, err
	}
	body, err := wire.ToValue(m.Body)
	return fn.Message{From: from, Body: body}, err
}
