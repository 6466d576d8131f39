package soak

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/virga-mesh/virga/sdk"
)

// nemesis plays the faults of a round. What it cannot do is an error: each
// node must start again and be ready.
func (r *run) nemesis(ctx context.Context, steps []Step) error {
	for _, step := range steps {
		time.Sleep(step.Pause)
		within, cancel := context.WithTimeout(ctx, settleTimeout)
		r.log.Info("the nemesis strikes", "at", r.now(), "step", step.String())
		err := r.strike(within, step)
		cancel()
		if err != nil {
			return fmt.Errorf("%s: %w", step, err)
		}
		r.see()
	}
	return nil
}

func (r *run) strike(ctx context.Context, step Step) (err error) {
	switch step.Verb {
	case Kill:
		r.former[step.Node] = r.mesh.Node(step.Node).ID()
		return r.mesh.Kill(step.Node)
	case LosePower:
		return r.mesh.LosePower(step.Node, r.chance)
	case Stop:
		return r.mesh.Stop(step.Node)
	case Restart:
		return r.mesh.Restart(ctx, step.Node)
	case Wipe:
		r.mesh.Wipe(step.Node)
		return nil
	case WipeStore:
		return r.mesh.WipeStore(step.Node)
	case Split:
		r.mesh.Partition(others(r.mesh.Len(), step.Nodes), step.Nodes)
		return nil
	case Heal:
		r.mesh.Heal()
		return nil
	case Hold:
		r.mesh.Hold(step.Node)
		return nil
	case Release:
		r.mesh.Release(step.Node)
		return nil
	case Join:
		_, err = r.mesh.Join(ctx)
		return err
	case Drain:
		return r.mesh.Drain(ctx, step.Node, r.another(step.Node))
	case Forget:
		return sdk.Attach(r.mesh.Node(r.another(step.Node))).Forget(ctx, r.former[step.Node])
	}
	return fmt.Errorf("no step of a nemesis: %s", step.Verb)
}

// another is a node that runs beside the one given.
func (r *run) another(node int) int {
	running := r.mesh.Running()
	if running[0] == node {
		return running[1]
	}
	return running[0]
}

// others are the numbers below count that are not in side.
func others(count int, side []int) (rest []int) {
	for i := range count {
		if !slices.Contains(side, i) {
			rest = append(rest, i)
		}
	}
	return rest
}
