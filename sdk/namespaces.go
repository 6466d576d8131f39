package sdk

import (
	"context"
	"iter"

	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Namespaces gives the namespaces that hold keys, in order: those that the
// client's certificate names, or all but the mesh's own; all of them to a
// client that Attach made. One whose keys were all deleted may be among them.
// An error ends it.
func (c *Client) Namespaces(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		req := &pb.Namespaces{}
		for more := true; more; {
			reply, err := do[*pb.NamespacesReply](ctx, c, "list namespaces", req)
			if err != nil {
				yield("", err)
				return
			}
			for _, name := range reply.Names {
				if !yield(name, nil) {
					return
				}
			}
			req, more = &pb.Namespaces{After: reply.Last}, reply.More
		}
	}
}
