package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// drainTimeout is how long a drain is waited for unless --timeout says otherwise.
const drainTimeout = 10 * time.Minute

func nodeDrainCommand(a *app) *cobra.Command {
	var cancel bool
	cmd := &cobra.Command{
		Use:   "drain NODE",
		Short: "Have a node hand over what it holds, leave for good and stop",
		Long: `Have a node hand over what it holds, leave for good and stop. The node owns nothing
from now on and takes no new work, but stays connected until the owners of
every key have confirmed what it held. Then the mesh forgets it, and its
process ends with code 0. How far it is, is told on stderr.

The command waits for up to ten minutes, or for what --timeout says. The node
goes on when nobody waits; --cancel takes it back. It needs the verb admin.

` + nodeNameHelp,
		Example: "  virga node drain n2\n  virga node drain 5TnqAKDV --timeout 1h\n  virga node drain n2 --cancel",
		Args:    exactly("NODE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("timeout") {
				a.timeout = drainTimeout
			}
			if cancel {
				return runCancelDrain(cmd.Context(), a, args[0])
			}
			return runDrain(cmd.Context(), a, args[0])
		},
	}
	cmd.Flags().BoolVar(&cancel, "cancel", false, "take a drain back: the node stays")
	return cmd
}

func runDrain(ctx context.Context, a *app, name string) error {
	return a.withNode(ctx, name, func(ctx context.Context, client *sdk.Client, node mesh.NodeID) error {
		if err := a.drain(ctx, client, node); err != nil {
			return err
		}
		return a.show(drained{node.String()})
	})
}

// withNode runs f with the node that a name stands for.
func (a *app) withNode(ctx context.Context, name string, f func(context.Context, *sdk.Client, mesh.NodeID) error) error {
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		status, err := client.Status(ctx)
		if err != nil {
			return err
		}
		node, err := a.findNode(status, name)
		if err != nil {
			return err
		}
		return f(ctx, client, node)
	})
}

// drain waits until a node has drained, and says on stderr how far it is.
func (a *app) drain(ctx context.Context, client *sdk.Client, node mesh.NodeID) error {
	for told := -1; ; {
		progress, err := client.Drain(ctx, node)
		switch {
		case ctx.Err() != nil:
			return mesh.Errorf(mesh.KindOf(ctx.Err()), "drain", "given up waiting; the node goes on draining, and --cancel takes it back")
		case err != nil:
			if told >= 0 && isForgotten(ctx, client, node) {
				return nil // it stopped before it could say so
			}
			return err
		case progress.Done:
			return awaitForgotten(ctx, client, node)
		}
		if progress.PartitionsLeft != told {
			told = progress.PartitionsLeft
			fmt.Fprintf(a.stderr, "%d partitions left\n", told)
		}
	}
}

// How long the mesh may take to forget a node that has drained, and how often
// it is asked. A node that is the only one to be asked cannot tell.
const (
	forgetTimeout = 5 * time.Second
	forgetPoll    = 20 * time.Millisecond
)

// awaitForgotten waits until a node that has drained has left.
func awaitForgotten(ctx context.Context, client *sdk.Client, node mesh.NodeID) error {
	waiting, cancel := context.WithTimeout(ctx, forgetTimeout)
	defer cancel()
	for !isForgotten(waiting, client, node) {
		select {
		case <-waiting.Done():
			return ctx.Err()
		case <-time.After(forgetPoll):
		}
	}
	return nil
}

// isForgotten reports whether another node answers and does not know the node.
func isForgotten(ctx context.Context, client *sdk.Client, node mesh.NodeID) bool {
	status, err := client.Status(ctx)
	if err != nil || status.ID == node {
		return false
	}
	for _, peer := range status.Peers {
		if peer.ID == node {
			return false
		}
	}
	return true
}

func runCancelDrain(ctx context.Context, a *app, name string) error {
	return a.withNode(ctx, name, func(ctx context.Context, client *sdk.Client, node mesh.NodeID) error {
		if err := client.CancelDrain(ctx, node); err != nil {
			return err
		}
		return a.show(done{"node " + node.String() + " stays"})
	})
}

type drained struct {
	Node string `json:"drained"`
}

func (d drained) text(w io.Writer) {
	fmt.Fprintf(w, "node %s has handed over what it held, and stops\n", d.Node)
}
