package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/internal/localmesh"
)

func upCommand(a *app) *cobra.Command {
	var nodes int
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start a mesh on this machine",
		Long: `Start a mesh of virgad processes on 127.0.0.1, and select it: commands in this
folder then need no flags. It returns when all nodes are ready. State, ports
and logs lie in the home folder; virga up starts a stopped mesh again with them.

virgad is taken from beside this program, else built from the clone around the
current folder, else taken from PATH.`,
		Example: "  virga up\n  virga up -n 5\n  VIRGA_HOME=/tmp/mesh virga up",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if chosen := cmd.Flags().Changed("nodes"); chosen && (nodes < 1 || nodes > localmesh.MaxNodes) {
				return usagef("--nodes %d: expected 1 to %d", nodes, localmesh.MaxNodes)
			}
			return runUp(cmd.Context(), a, nodes)
		},
	}
	cmd.Flags().IntVarP(&nodes, "nodes", "n", 0, fmt.Sprintf("how many nodes (default: as many as last time, or %d)", localmesh.DefaultNodes))
	return cmd
}

func runUp(ctx context.Context, a *app, nodes int) error {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	virgad, err := localmesh.Virgad(ctx, filepath.Join(a.home, "bin"))
	if err != nil {
		return err
	}
	start := time.Now()
	running, err := localmesh.Up(ctx, localmesh.Options{Home: a.home, Nodes: nodes, Virgad: virgad})
	if err != nil {
		return err
	}
	return a.show(localMesh{Home: a.home, Nodes: describeLocal(running), took: time.Since(start)})
}

// localMesh is a mesh on this machine as commands print it.
type localMesh struct {
	Home  string      `json:"home"`
	Nodes []localNode `json:"nodes"`
	took  time.Duration
}

type localNode struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
	Addr string `json:"addr"`
	Log  string `json:"log"`
}

func describeLocal(nodes []localmesh.Node) []localNode {
	described := make([]localNode, 0, len(nodes))
	for _, n := range nodes {
		described = append(described, localNode{n.Name, n.PID, n.Addr, n.Log()})
	}
	return described
}

func (m localMesh) text(w io.Writer) {
	fmt.Fprintf(w, "%d nodes are ready after %v; virga down stops them\n", len(m.Nodes), m.took.Round(time.Millisecond))
	var rows [][]string
	for _, n := range m.Nodes {
		rows = append(rows, []string{n.Name, fmt.Sprint(n.PID), n.Addr, n.Log})
	}
	writeTable(w, []string{"NODE", "PID", "ADDRESS", "LOG"}, rows)
}
