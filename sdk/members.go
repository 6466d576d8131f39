package sdk

import (
	"context"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// DrainProgress says how far a node is with handing over what it holds.
type DrainProgress struct {
	PartitionsLeft int
	Done           bool // the node stops now, and is forgotten
}

// Drain asks a node to hand over what it holds, to leave the mesh for good
// and to stop. It begins that or joins what is under way, and answers when
// it is done, or within a second with how far it is: call it again until it
// is Done. The node goes on when nobody asks. It needs the verb admin.
// Conflict when no other node is there to take over, Unavailable when the
// node cannot be reached.
func (c *Client) Drain(ctx context.Context, node mesh.NodeID) (DrainProgress, error) {
	reply, err := do[*pb.DrainReply](ctx, c, "drain "+node.Short(), &pb.Drain{Node: []byte(node)})
	if err != nil {
		return DrainProgress{}, err
	}
	return DrainProgress{PartitionsLeft: int(reply.PartitionsLeft), Done: reply.Done}, nil
}

// CancelDrain takes Drain back: the node stays, and takes up again what is
// closest to it. Conflict when it does not drain, or is done.
func (c *Client) CancelDrain(ctx context.Context, node mesh.NodeID) error {
	_, err := do[*pb.Done](ctx, c, "cancel drain of "+node.Short(), &pb.Drain{Node: []byte(node), Cancel: true})
	return err
}

// Forget says that a missing node never returns: the mesh does not wait for
// it any more to say that something does not exist. It needs the verb admin.
// Conflict when the node is live, NotFound when it is not known as missing.
func (c *Client) Forget(ctx context.Context, node mesh.NodeID) error {
	_, err := do[*pb.Done](ctx, c, "forget "+node.Short(), &pb.Forget{Node: []byte(node)})
	return err
}
