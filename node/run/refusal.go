package run

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// maxPlaces is how many nodes are asked to execute what is refused for want of
// room, until the caller is told.
const maxPlaces = 4

// refused reports whether a node had no room for an execution, which has not
// begun, and says when it may have.
func refused(err error) bool { return mesh.RetryAfter(err) > 0 }

// isLost reports whether a node could not be reached, or not to the end: an
// error of the function names its node.
func isLost(err error) bool {
	e := mesh.AsError("", err)
	return e != nil && e.Kind == mesh.Unavailable && e.Node == ""
}

// executeWhereRoom executes a piece once, here or, where this node has no room
// for it, on another one.
func (r *Runs) executeWhereRoom(ctx context.Context, t *piece, args []mesh.Value) (mesh.Value, error) {
	v, err := r.execute(ctx, t, args)
	return r.unlessRefused(ctx, t, args, v, err)
}

// unlessRefused gives how an execution on this node went. One that was refused
// for want of room is placed anew, on one node after the other that may run
// it; the last refusal is the caller's.
func (r *Runs) unlessRefused(ctx context.Context, t *piece, args []mesh.Value, v mesh.Value, err error) (mesh.Value, error) {
	if !refused(err) {
		return v, err
	}
	began := time.Now()
	var asked []mesh.NodeID
	mayHaveBegun := false
	for len(asked) < maxPlaces-1 && ctx.Err() == nil {
		node, ok := r.another(t, "", asked)
		if !ok {
			break
		}
		asked = append(asked, node)
		r.counts.elsewhere.Add(1)
		v, failure := r.executeAt(ctx, node, t, args)
		switch {
		case isLost(failure):
			*t = t.again(began)
			err, mayHaveBegun = failure, true
		case !refused(failure):
			return v, failure
		case !mayHaveBegun:
			err = failure
		}
	}
	return mesh.Value{}, err
}
