package node

import (
	"context"
	"slices"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// namespacesFor tells a peer which namespaces hold keys; a client those that
// its certificate allows it to read from.
func (r *rooms) namespacesFor(ctx context.Context, peer admission.Member, m *pb.Namespaces) (*pb.NamespacesReply, error) {
	reply, err := r.replica.HandleNamespaces(ctx, m)
	if err != nil || peer.Role == admission.Node {
		return reply, err
	}
	reply.Names = slices.DeleteFunc(reply.Names, func(name string) bool {
		allowed := peer.Grant.Namespaces
		return name == mesh.SystemNamespace || len(allowed) > 0 && !slices.Contains(allowed, name)
	})
	return reply, nil
}
