package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/internal/localmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

func nodeAddCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "add",
		Short: "Add a node to the mesh on this machine",
		Long: `Add a node to the mesh on this machine that virga up started, and return when it
is ready: it then holds what it owns. Elsewhere a node is added by starting
virgad with a token: see virga token create.`,
		Example: "  virga node add",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			nodes, err := localmesh.Nodes(a.home)
			if err != nil {
				return err
			}
			if len(nodes) == 0 {
				return mesh.Errorf(mesh.NotFound, "node add", "there is no mesh of this machine in %s; virga up starts one", a.home)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), a.timeout)
			defer cancel()
			return startMesh(ctx, a, localmesh.Options{Home: a.home, Nodes: len(nodes) + 1}, "")
		},
	}
}

func nodeRemoveCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Drain a node of the mesh on this machine and remove it",
		Long: `Drain a node of the mesh on this machine, and remove its folder when its process
has ended. See virga node drain, which is for nodes anywhere.`,
		Example: "  virga node remove n2",
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("timeout") {
				a.timeout = drainTimeout
			}
			return runNodeRemove(cmd.Context(), a, args[0])
		},
	}
}

func runNodeRemove(ctx context.Context, a *app, name string) error {
	chosen, err := chooseNodes(a.home, []string{name})
	if err != nil {
		return err
	}
	node := chosen[0]
	if node.PID == 0 {
		return mesh.Errorf(mesh.Conflict, "node remove", "%s does not run, so it cannot hand over what it holds; virga up starts it", name)
	}
	return a.withNode(ctx, name, func(ctx context.Context, client *sdk.Client, id mesh.NodeID) error {
		return a.drainAndRemove(ctx, client, id, node)
	})
}

func (a *app) drainAndRemove(ctx context.Context, client *sdk.Client, id mesh.NodeID, node localmesh.Node) error {
	if err := a.drain(ctx, client, id); err != nil {
		return err
	}
	if err := localmesh.Remove(ctx, a.home, node); err != nil {
		return err
	}
	return a.show(removedNode{Name: node.Name, Node: id.String()})
}

type removedNode struct {
	Name string `json:"removed"`
	Node string `json:"node"`
}

func (r removedNode) text(w io.Writer) {
	fmt.Fprintf(w, "%s has handed over what it held, and is removed\n", r.Name)
}
