package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

func nodeForgetCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "forget NODE",
		Short: "Say that a missing node never returns",
		Long: `Say that a missing node never returns. While a node is missing the mesh expects it
back, and does not say that a key does not exist when the node may hold it. It
is forgotten by itself after a day, or what forget_after says. A live node
cannot be forgotten: drain it. It needs the verb admin.

` + nodeNameHelp,
		Example: "  virga node list\n  virga node forget 5TnqAKDV",
		Args:    exactly("NODE"),
		RunE:    func(cmd *cobra.Command, args []string) error { return runForget(cmd.Context(), a, args[0]) },
	}
}

func runForget(ctx context.Context, a *app, name string) error {
	return a.withNode(ctx, name, func(ctx context.Context, client *sdk.Client, node mesh.NodeID) error {
		if err := client.Forget(ctx, node); err != nil {
			return err
		}
		return a.show(forgotten{node.String()})
	})
}

type forgotten struct {
	Node string `json:"forgotten"`
}

func (f forgotten) text(w io.Writer) { fmt.Fprintf(w, "node %s is forgotten\n", f.Node) }
