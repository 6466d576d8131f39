package node

import (
	"context"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
)

// callerKey is under what a context holds for whom its request is served.
type callerKey struct{}

// withCaller notes that a request is a client's: where invocations wait for
// a place, the callers take turns.
func withCaller(ctx context.Context, peer admission.Member) context.Context {
	if peer.Role == admission.Node {
		return ctx
	}
	return context.WithValue(ctx, callerKey{}, string(peer.ID))
}

// callerOf says for whom an invocation runs: the client whose call it serves
// here, else the namespace of its function, for what comes from other nodes.
func callerOf(ctx context.Context, ref mesh.FuncRef) string {
	if caller, ok := ctx.Value(callerKey{}).(string); ok {
		return caller
	}
	return "/" + ref.Namespace
}
