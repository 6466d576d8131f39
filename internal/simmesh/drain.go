package simmesh

import (
	"context"
	"fmt"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// Drain has the ith node hand over what it holds and leave for good, asked
// for through another one, and returns when it has ended.
func (m *Mesh) Drain(ctx context.Context, i, through int) error {
	at := m.members[i]
	id, client := at.node.ID(), sdk.Attach(m.Node(through))
	for {
		progress, err := client.Drain(ctx, id)
		if err != nil {
			return err
		}
		if progress.Done {
			break
		}
	}
	select {
	case err := <-at.ended:
		at.stop()
		at.stop = nil
		return err
	case <-ctx.Done():
		return fmt.Errorf("node %d has drained and has not ended: %w", i, mesh.AsError("drain", ctx.Err()))
	}
}
