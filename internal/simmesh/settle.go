package simmesh

import (
	"context"
	"fmt"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// settlePoll is how often Settle looks.
const settlePoll = 5 * time.Millisecond

// Settle waits until each running node sees just the running ones, and has
// taken over from them what it owns.
func (m *Mesh) Settle(ctx context.Context) error { return m.SettleApart(ctx, m.Running()) }

// SettleApart waits until each node sees just the nodes of its own side.
func (m *Mesh) SettleApart(ctx context.Context, sides ...[]int) error {
	for {
		waiting := ""
		for _, side := range sides {
			waiting = m.unsettled(side)
			if waiting != "" {
				break
			}
		}
		if waiting == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the mesh did not settle: %s: %w", waiting, ctx.Err())
		case <-time.After(settlePoll):
		}
	}
}

// unsettled names a node of a side that sees too many or too few others.
func (m *Mesh) unsettled(side []int) string {
	want := map[mesh.NodeID]bool{}
	for _, i := range side {
		want[m.Node(i).ID()] = true
	}
	for _, i := range side {
		seen := m.Node(i).Peers()
		if len(seen) != len(want) {
			return fmt.Sprintf("node %d sees %d nodes of %d", i, len(seen), len(want))
		}
		for _, id := range seen {
			if !want[id] {
				return fmt.Sprintf("node %d sees %s, which is not of its side", i, id.Short())
			}
		}
		if left := m.Node(i).Unsettled(); left > 0 {
			return fmt.Sprintf("node %d has yet to take over %d partitions", i, left)
		}
	}
	return ""
}

// SettleReady waits until each running node says that it is ready.
func (m *Mesh) SettleReady(ctx context.Context) error {
	for _, i := range m.Running() {
		for {
			status, err := sdk.Attach(m.Node(i)).Status(ctx)
			if err == nil && status.Ready {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("node %d is not ready: %s: %w", i, status.NotReadyReason, ctx.Err())
			case <-time.After(settlePoll):
			}
		}
	}
	return nil
}
