package localmesh

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// Down stops the nodes of a home that run, and gives those. Each is asked to
// stop, and killed when it has not at the end of ctx or after StopTimeout.
// Data, logs and context stay. With none running there is nothing to do.
func Down(ctx context.Context, home string) ([]Node, error) {
	if nodes, err := Nodes(home); err != nil || len(nodes) == 0 {
		return nil, err
	}
	unlock, err := lock(ctx, home)
	if err != nil {
		return nil, err
	}
	defer unlock()
	nodes, err := Nodes(home) // others may have come while it was locked
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, StopTimeout)
	defer cancel()
	var group errgroup.Group
	var running []Node
	for _, n := range nodes {
		if n.PID != 0 {
			running = append(running, n)
		}
		group.Go(func() error { return n.Stop(ctx) })
	}
	return running, group.Wait()
}
