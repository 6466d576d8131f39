package localmesh

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// awaitReady waits until each node says that it is ready and sees all others.
func awaitReady(ctx context.Context, saved sdk.SavedContext, nodes []Node) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, n := range nodes {
		group.Go(func() error { return n.awaitReady(ctx, saved, len(nodes)-1) })
	}
	return group.Wait()
}

// awaitReady asks the node until it is ready and sees peers others. One that
// died, or takes too long, is an error with what its log says.
func (n Node) awaitReady(ctx context.Context, saved sdk.SavedContext, peers int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		if n.Gone(ctx) {
			cancel(mesh.Errorf(mesh.Internal, "up", "node %s died; its log says:\n%s", n.Name, n.logTail()))
		}
	}()
	reason, err := n.askUntilReady(ctx, saved, peers)
	died := context.Cause(ctx)
	cancel(nil)
	<-watched
	switch {
	case err == nil:
		return nil
	case errors.Is(died, mesh.Internal):
		return died
	case errors.Is(err, context.Canceled) || errors.Is(err, mesh.Cancelled):
		return mesh.AsError("up", err)
	}
	return mesh.Errorf(mesh.KindOf(err), "up", "node %s is not ready: %s: %w; its log says:\n%s", n.Name, reason, err, n.logTail())
}

// askUntilReady gives with an error what was missing at last.
func (n Node) askUntilReady(ctx context.Context, saved sdk.SavedContext, peers int) (string, error) {
	client, err := sdk.Dial(ctx, sdk.Config{Addrs: []string{n.Addr}, Token: saved.Token.Text(), Pinned: true})
	if err != nil {
		return "it does not answer at " + n.Addr, err
	}
	defer client.Close()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		status, err := client.Status(ctx)
		if err != nil {
			return "it does not tell its status", err
		}
		lacking := lacks(status, peers)
		if lacking == "" {
			return "", nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return lacking, ctx.Err()
		}
	}
}

func lacks(status sdk.NodeStatus, peers int) string {
	live := 0
	for _, peer := range status.Peers {
		if peer.Live {
			live++
		}
	}
	switch {
	case live < peers:
		return fmt.Sprintf("it sees %d of %d other nodes", live, peers)
	case !status.Ready:
		return status.NotReadyReason
	}
	return ""
}
