package exec

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn/abi"
)

// guest is one function of a module.
type guest struct {
	module  *module
	index   uint32
	loading time.Duration // that the module took, for those who waited
}

func (g guest) limits() mesh.Limits { return mesh.Limits{} }

func (g guest) release() { g.module.owner.release(g.module) }

func (g guest) run(ctx context.Context, r *running, args []mesh.Value) (mesh.Value, error) {
	args, err := readable(args, g.module.formats)
	if err != nil {
		return mesh.Value{}, err
	}
	in, starting, err := g.module.take(ctx, r.limits.Memory)
	r.cold = g.loading + starting
	if err != nil {
		return mesh.Value{}, err
	}
	answer, err := in.invoke(ctx, r, g.index, args)
	if err != nil {
		g.module.spoil(in)
		return mesh.Value{}, err
	}
	g.module.giveBack(ctx, in)
	payload, _, err := abi.ReadAnswer(answer)
	if err != nil {
		return mesh.Value{}, err
	}
	return abi.ReadValue(payload)
}
