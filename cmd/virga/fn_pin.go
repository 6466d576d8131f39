package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/sdk"
)

func fnPinCommand(a *app) *cobra.Command {
	var nodes int
	cmd := &cobra.Command{
		Use:   "pin NAME",
		Short: "Keep a function warm on a number of nodes",
		Long: `Keep instances of a function's current version ready on at least so many nodes,
though nobody calls it. Without a pin the nodes follow the load: a function
that is not called for a while (warm_idle) has no instance anywhere, and its
next call is a cold start. virga fn list shows what is pinned, and warm.

Functions that nodes or workers host themselves are always ready.`,
		Example: "  virga fn pin resize --nodes 3\n  virga fn unpin resize",
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if nodes < 1 {
				return usagef("--nodes %d: expected at least 1; virga fn unpin ends it", nodes)
			}
			return runFnPin(cmd.Context(), a, args[0], nodes)
		},
	}
	cmd.Flags().IntVar(&nodes, "nodes", 1, "how many nodes keep it warm")
	return cmd
}

func fnUnpinCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "unpin NAME",
		Short:   "Keep a function warm only where its load calls for it",
		Example: "  virga fn unpin resize",
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runFnPin(cmd.Context(), a, args[0], 0)
		},
	}
}

func runFnPin(ctx context.Context, a *app, name string, nodes int) error {
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		if err := client.PinFunc(ctx, name, nodes); err != nil {
			return err
		}
		if nodes == 0 {
			return a.show(done{"function " + name + " is kept warm only where its load calls for it"})
		}
		return a.show(done{fmt.Sprintf("function %s is kept warm on %d nodes", name, nodes)})
	})
}
