package sdk

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/sdk/fn"
)

// CallOptions say how a function or DAG runs. The zero value suits most calls.
type CallOptions struct {
	// Policy of placement: locality (the default), random, round-robin.
	Policy string
	// Once gives the answer of a node that has no room, mesh.Overloaded, at
	// once. Else a call that has not begun is made again, when the node says
	// that there may be room, for as long as the context lasts.
	Once bool
	// Place says for stages where they must run. A function called alone is
	// a stage of its own name.
	Place map[string]mesh.NodeID
	// RunID names the run; calling again with the same id gives the same
	// run. The zero id lets the mesh draw one.
	RunID mesh.RunID
	// Timeout bounds a run that is started and not waited for. 0: the node's
	// default. A run that is waited for ends with the context.
	Timeout time.Duration
}

// mode says what a call waits for.
type mode int

const (
	forResult mode = iota
	forFuture
	forPlan
)

func (o CallOptions) message(m mode) *pb.CallOptions {
	options := &pb.CallOptions{Future: m == forFuture, DryRun: m == forPlan, Policy: o.Policy}
	if o.RunID != (mesh.RunID{}) {
		options.RunId = o.RunID[:]
	}
	if o.Timeout > 0 {
		options.TimeoutUs = uint64(o.Timeout / time.Microsecond)
	}
	if len(o.Place) > 0 {
		options.Place = make(map[string][]byte, len(o.Place))
		for stage, node := range o.Place {
			options.Place[stage] = []byte(node)
		}
	}
	return options
}

// Call runs a function on any arguments, which may be Refs, and gives its
// result undecoded. The name may carry a version, as in "square@v". See Func
// for typed calls.
func (c *Client) Call(ctx context.Context, name string, args ...any) (mesh.Value, error) {
	return Func[fn.Variadic[any], mesh.Value](c, name).Call(ctx, args)
}
