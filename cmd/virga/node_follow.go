package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/internal/localmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// nodeFollowCommand is the hook of a mesh that virga up --max started: nodes
// run it, and tell it in the environment what is wanted.
func nodeFollowCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "follow",
		Short:   "Start or drain nodes of the mesh on this machine, as its nodes want it",
		Example: "  VIRGA_ACTION=add VIRGA_LIVE=1 VIRGA_WANTED=2 virga node follow",
		Hidden:  true,
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("timeout") {
				a.timeout = drainTimeout
			}
			return runNodeFollow(cmd.Context(), a, os.Getenv)
		},
	}
}

func runNodeFollow(ctx context.Context, a *app, env func(string) string) error {
	switch action := env("VIRGA_ACTION"); action {
	case "add":
		live, err := strconv.Atoi(env("VIRGA_LIVE"))
		wanted, wrong := strconv.Atoi(env("VIRGA_WANTED"))
		if err != nil || wrong != nil || wanted <= live {
			return usagef("VIRGA_LIVE is %q and VIRGA_WANTED %q: expected a number, and a greater one", env("VIRGA_LIVE"), env("VIRGA_WANTED"))
		}
		return runGrow(ctx, a, wanted-live)
	case "remove":
		return runShrink(ctx, a, env("VIRGA_NODE"))
	default:
		return usagef("VIRGA_ACTION is %q: expected add or remove", action)
	}
}

// runGrow starts nodes beside those that run.
func runGrow(ctx context.Context, a *app, more int) error {
	ctx, cancel := context.WithTimeout(ctx, localmesh.ReadyTimeout)
	defer cancel()
	virgad, err := localmesh.Virgad(ctx, filepath.Join(a.home, "bin"))
	if err != nil {
		return err
	}
	running, err := localmesh.Grow(ctx, localmesh.Options{Home: a.home, Virgad: virgad}, more)
	if err != nil {
		return err
	}
	return a.show(localMesh{Home: a.home, Nodes: describeLocal(running)})
}

// runShrink drains a node, and removes it.
func runShrink(ctx context.Context, a *app, id string) error {
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		status, err := client.Status(ctx)
		if err != nil {
			return err
		}
		node, err := a.findNode(status, id)
		if err != nil {
			return err
		}
		local, err := a.localNode(status, node)
		if err != nil {
			return err
		}
		return a.drainAndRemove(ctx, client, node, local)
	})
}

// localNode gives the node of the mesh on this machine that has an id.
func (a *app) localNode(status sdk.NodeStatus, id mesh.NodeID) (localmesh.Node, error) {
	addrs := status.Addrs
	for _, peer := range status.Peers {
		if peer.ID == id {
			addrs = peer.Addrs
		}
	}
	nodes, err := localmesh.Nodes(a.home)
	if err != nil {
		return localmesh.Node{}, err
	}
	for _, n := range nodes {
		if slices.Contains(addrs, n.Addr) {
			return n, nil
		}
	}
	return localmesh.Node{}, mesh.Errorf(mesh.NotFound, "find node", "%s is no node of the mesh on this machine", id.Short())
}
