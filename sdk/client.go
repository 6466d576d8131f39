package sdk

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// DefaultTimeout is the deadline of a call whose context has none.
const DefaultTimeout = time.Minute

// Transport takes requests to a node. It is safe for concurrent use. A
// request that fails gives a *mesh.Error, or an error of the context; one
// that has nothing to say but that it worked may give a nil message.
type Transport interface {
	Do(ctx context.Context, req wire.Message) (wire.Message, error)
}

// Client uses a mesh through any of its nodes. It is safe for concurrent use.
type Client struct {
	transport Transport
	remote    *remote // the transport, when Dial made it
	namespace string
	state     StateOptions
	session   *Session // nil: none
	impatient bool     // what finds no room is not sent again
}

// Attach gives a client of a node in the same process. Its requests are
// handed to the node as they are. Close leaves the node alone.
func Attach(t Transport) *Client {
	return &Client{transport: t, namespace: mesh.DefaultNamespace}
}

// In gives a client for another namespace over the same connections. Names
// of keys, functions and DAGs are looked up there.
func (c *Client) In(namespace string) *Client {
	view := *c
	view.namespace = namespace
	return &view
}

// Namespace is where the client looks names up.
func (c *Client) Namespace() string { return c.namespace }

// Close ends the connections that Dial made, for all clients derived from
// this one. What is under way fails with Unavailable. It waits until nothing
// of the client runs any more, and does nothing the second time.
func (c *Client) Close() error {
	if c.remote == nil {
		return nil
	}
	return c.remote.close()
}

// do sends a request and expects a reply of type R. The operation names
// errors that do not name one themselves.
func do[R wire.Message](ctx context.Context, c *Client, op string, req wire.Message) (R, error) {
	var none R
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	reply, err := c.ask(ctx, req)
	if err != nil {
		return none, mesh.AsError(op, err)
	}
	if reply == nil { // a node in this process has nothing to say but that it worked
		reply = &pb.Done{}
	}
	typed, ok := reply.(R)
	if !ok {
		return none, mesh.Errorf(mesh.Internal, op, "the node answered with %T: expected %T", reply, none)
	}
	return typed, nil
}

func withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, DefaultTimeout)
}
