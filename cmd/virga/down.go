package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/internal/localmesh"
)

func downCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Stop the mesh on this machine",
		Long: `Stop the nodes that virga up started, and no other process. Their state stays, and
virga up starts them again with it; to be rid of it, remove the home folder.
With nothing running there is nothing to do, and that is no error.`,
		Example: "  virga down",
		Args:    exactly(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runDown(cmd.Context(), a) },
	}
}

func runDown(ctx context.Context, a *app) error {
	stopped, err := localmesh.Down(ctx, a.home)
	if err != nil {
		return err
	}
	return a.show(stoppedMesh{Home: a.home, Stopped: describeLocal(stopped)})
}

type stoppedMesh struct {
	Home    string      `json:"home"`
	Stopped []localNode `json:"stopped"`
}

func (s stoppedMesh) text(w io.Writer) {
	if len(s.Stopped) == 0 {
		fmt.Fprintf(w, "nothing runs in %s\n", s.Home)
		return
	}
	fmt.Fprintf(w, "stopped %d nodes; their state stays in %s\n", len(s.Stopped), s.Home)
}
