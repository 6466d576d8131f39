package sdk

import (
	"context"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Through lets the next attempts of a write go through another client.
func Through(w *Write, c *Client) { w.client = c }

// Connections is how many nodes a client that dialled is connected to.
func Connections(c *Client) int { return len(c.remote.endpoint.Conns()) }

// Route gives the node that a get of a key would go to, and the owners of the
// key as far as the client knows them.
func Route(ctx context.Context, c *Client, name string) (mesh.NodeID, []mesh.NodeID, error) {
	req := &pb.Get{Key: wire.FromKey(mesh.Key{Namespace: c.namespace, Name: name})}
	conn, err := c.remote.route(ctx, req)
	if err != nil {
		return "", nil, err
	}
	return conn.Peer().ID, c.remote.owners.Of(req), nil
}
