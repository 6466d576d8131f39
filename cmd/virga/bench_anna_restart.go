package main

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/internal/bench"
	"github.com/virga-mesh/virga/internal/localmesh"
	"github.com/virga-mesh/virga/mesh"
)

// Restarts of a node that is full, after each kind of end.
const (
	restartStopped = "restart: after SIGTERM"
	restartKilled  = "restart: after SIGKILL"
)

// annaRestart measures how long a node with many keys on its disk takes from
// its start until it is ready.
func (b *benchRun) annaRestart(ctx context.Context) error {
	if !b.wantsAny(restartStopped, restartKilled) {
		return nil
	}
	return b.withMesh(ctx, 1, func(m *benchMesh) error {
		if err := m.fill(ctx, m.client, b.storeKeys, newAnnaValues(loadValue)); err != nil {
			return err
		}
		for _, c := range []struct {
			name string
			end  func(context.Context, localmesh.Node) error
		}{
			{restartStopped, func(ctx context.Context, n localmesh.Node) error { return n.Stop(ctx) }},
			{restartKilled, kill},
		} {
			if !b.wants(c.name) {
				continue
			}
			took, err := m.restart(ctx, c.end)
			if err != nil {
				return err
			}
			if err := b.note(c.name, bench.SampleOf(took)); err != nil {
				return err
			}
			if _, err := m.client.Get(ctx, annaKey(b.storeKeys/2)); err != nil {
				return err
			}
		}
		return nil
	})
}

// kill ends a node as a crash would.
func kill(ctx context.Context, n localmesh.Node) error {
	if err := n.Kill(); err != nil {
		return err
	}
	if !n.Gone(ctx) {
		return mesh.Errorf(mesh.DeadlineExceeded, "bench", "node %s still runs", n.Name)
	}
	return nil
}

// restart ends the only node, and gives how long it takes from its start until it is ready.
func (m *benchMesh) restart(ctx context.Context, end func(context.Context, localmesh.Node) error) (time.Duration, error) {
	ending, cancel := context.WithTimeout(ctx, localmesh.StopTimeout)
	defer cancel()
	if err := end(ending, m.nodes[0]); err != nil {
		return 0, err
	}
	start := time.Now()
	err := m.up(ctx, 1)
	return time.Since(start), err
}
