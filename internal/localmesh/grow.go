package localmesh

import (
	"context"
	"slices"

	"github.com/virga-mesh/virga/mesh"
)

// Grow is Up for a mesh that runs: with so many nodes more, of which those
// that have stopped are the first. A mesh of which none runs is a Conflict:
// it was stopped on purpose.
func Grow(ctx context.Context, o Options, more int) ([]Node, error) {
	ctx, cancel := readyTimeout(ctx)
	defer cancel()
	home, unlock, err := o.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	nodes, err := Nodes(home)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(nodes, func(n Node) bool { return n.PID != 0 }) {
		return nil, mesh.Errorf(mesh.Conflict, "grow", "no node of the mesh in %s runs; virga up starts it", home)
	}
	for _, n := range nodes {
		if n.PID == 0 {
			more--
		}
	}
	o.Nodes = len(nodes) + max(0, more)
	return o.up(ctx, home, nodes)
}
