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
	var o upOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start a mesh on this machine",
		Long: `Start a mesh of virgad processes on 127.0.0.1, and select it: commands in this
folder then need no flags. It returns when all nodes are ready. State, ports
and logs lie in the home folder; virga up starts a stopped mesh again with them.

With --max the mesh follows the load: it begins with --min nodes, starts more
when they are too busy for the time of --grace, up to --max, and drains them
again, down to --min, when there is little to do for as long. With a --min below
the number of replicas (3) the state may come to lie on so few nodes. What it
wants and why, virga status tells, and the logs what it did.

--set gives a setting of virgad to all nodes. --max, --set and -n replace what
they were given the last time; without them a mesh starts as it was.

virgad is taken from beside this program, else built from the clone around the
current folder, else taken from PATH.`,
		Example: "  virga up\n  virga up -n 5\n  virga up --min 1 --max 5 --grace 30s\n  VIRGA_HOME=/tmp/mesh virga up",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.fixed, o.follows = cmd.Flags().Changed("nodes"), cmd.Flags().Changed("max")
			if cmd.Flags().Changed("min") && !o.follows {
				return usagef("--min without --max: expected both")
			}
			return runUp(cmd.Context(), a, o)
		},
	}
	flags := cmd.Flags()
	flags.IntVarP(&o.nodes, "nodes", "n", 0, fmt.Sprintf("how many nodes (default: as many as last time, or %d)", localmesh.DefaultNodes))
	flags.IntVar(&o.min, "min", 1, "with --max: nodes at least")
	flags.IntVar(&o.max, "max", 0, "follow the load, with so many nodes at most")
	flags.DurationVar(&o.grace, "grace", 2*time.Minute, "with --max: how long the load lasts before nodes are started or drained")
	flags.StringArrayVar(&o.set, "set", nil, "setting of virgad for all nodes, as NAME=VALUE; may be repeated")
	return cmd
}

func runUp(ctx context.Context, a *app, o upOptions) error {
	if err := o.validate(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	options, err := o.options(ctx, a)
	if err != nil {
		return err
	}
	return startMesh(ctx, a, options, o.bounds())
}

// startMesh starts a mesh, and shows it.
func startMesh(ctx context.Context, a *app, o localmesh.Options, bounds string) (err error) {
	if o.Virgad, err = localmesh.Virgad(ctx, filepath.Join(a.home, "bin")); err != nil {
		return err
	}
	start := time.Now()
	running, err := localmesh.Up(ctx, o)
	if err != nil {
		return err
	}
	return a.show(localMesh{Home: a.home, Nodes: describeLocal(running), Follows: bounds, took: time.Since(start)})
}

// localMesh is a mesh on this machine as commands print it.
type localMesh struct {
	Home    string      `json:"home"`
	Nodes   []localNode `json:"nodes"`
	Follows string      `json:"follows_load,omitempty"` // within which bounds, in words
	took    time.Duration
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
	fmt.Fprintf(w, "%s ready after %v; virga down stops them\n", areNodes(len(m.Nodes)), m.took.Round(time.Millisecond))
	if m.Follows != "" {
		fmt.Fprintf(w, "they become %s as the load wants it\n", m.Follows)
	}
	var rows [][]string
	for _, n := range m.Nodes {
		rows = append(rows, []string{n.Name, fmt.Sprint(n.PID), n.Addr, n.Log})
	}
	writeTable(w, []string{"NODE", "PID", "ADDRESS", "LOG"}, rows)
}

func areNodes(count int) string {
	if count == 1 {
		return "1 node is"
	}
	return fmt.Sprintf("%d nodes are", count)
}
