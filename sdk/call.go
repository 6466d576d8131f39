package sdk

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/effects"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/sdk/fn"
)

// CallOptions say how a function or DAG runs. The zero value suits most calls.
type CallOptions struct {
	// Policy of placement: locality (the default), random, round-robin.
	Policy string
	// Consistency is what the run may rely on where it reads state: by
	// references, and by what its functions and those that they call read.
	Consistency mesh.Consistency
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
	// Stage says how a function that is called alone runs, as in a DAG: how
	// often it is retried, how long it may take, over which list it is mapped.
	Stage mesh.StageOptions
	// Output is a key of the client's namespace under which the result is
	// stored, as a register, before it is told: that of a DAG with several
	// sinks as an object by stage. Empty: none.
	Output string
	// Then is a DAG, or else a function, of the client's namespace that is run
	// with the result, as the first argument of each stage without parents.
	// The run has the id Next of this one's. Empty: none.
	Then string
}

// mode says what a call waits for.
type mode int

const (
	forResult mode = iota
	forFuture
	forPlan
)

func (o CallOptions) message(ctx context.Context, namespace string, m mode) (*pb.CallOptions, error) {
	options := &pb.CallOptions{Future: m == forFuture, DryRun: m == forPlan, Policy: o.Policy, Consistency: uint32(o.Consistency), Session: wire.FromSession(mesh.SessionOf(ctx))}
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
	if !o.Stage.IsZero() {
		options.Stage = wire.FromStageOptions(&o.Stage)
	}
	if work := effects.Called(ctx); work.Named() {
		options.Work, options.WorkAgeUs = work.ID[:], uint64(work.Age()/time.Microsecond)
	}
	return options, o.addAfter(options, namespace)
}

// addAfter says what is to be done with the result.
func (o CallOptions) addAfter(options *pb.CallOptions, namespace string) error {
	if o.Output != "" {
		key := mesh.Key{Namespace: namespace, Name: o.Output}
		if err := key.Validate(); err != nil {
			return err
		}
		options.Output = wire.FromKey(key)
	}
	if o.Then != "" {
		ref, err := mesh.ParseFuncRef(namespace, o.Then)
		if err != nil {
			return err
		}
		options.Then = wire.FromFuncRef(ref)
	}
	return nil
}

// Call runs a function on any arguments, which may be Refs, and gives its
// result undecoded. The name may carry a version, as in "square@v". See Func
// for typed calls.
func (c *Client) Call(ctx context.Context, name string, args ...any) (mesh.Value, error) {
	return Func[fn.Variadic[any], mesh.Value](c, name).Call(ctx, args)
}
