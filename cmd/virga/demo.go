package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/internal/localmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

func demoCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Show in a minute what Virga does, on real processes",
		Long: `Start three nodes as processes of their own on 127.0.0.1, in a temporary folder;
deploy two functions, call them, compose them, keep state; kill a node and go on;
then stop everything. It runs within a clone, and builds what it needs.`,
		Example: "  go run ./cmd/virga demo",
		Args:    exactly(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runDemo(cmd.Context(), a) },
	}
}

// demo shows steps as they happen.
type demo struct {
	out    io.Writer
	clone  string // where the examples are
	home   string
	nodes  []localmesh.Node
	client *sdk.Client
	steps  []demoStep
}

// demoStep is what one step came to.
type demoStep struct {
	What   string `json:"what"`
	Result string `json:"result"`
	Micros int64  `json:"took_us"`
}

type demoReport struct {
	Steps []demoStep `json:"steps"`
}

func (demoReport) text(w io.Writer) {
	fmt.Fprint(w, "\nThat was Virga. Keep a mesh for yourself with\n\n  scripts/start-local.sh 3\n  bin/virga status\n\n")
}

func runDemo(ctx context.Context, a *app) (err error) {
	d := &demo{out: a.stdout}
	if a.output == outputJSON {
		d.out = io.Discard
	}
	if d.clone, err = findClone(ctx); err != nil {
		return err
	}
	if d.home, err = os.MkdirTemp("", "virga-demo-"); err != nil {
		return mesh.Errorf(mesh.Internal, "demo", "%w", err)
	}
	defer func() { err = errors.Join(err, d.tidy()) }()
	if err := d.start(ctx, a); err != nil {
		return err
	}
	defer d.client.Close()
	if err := d.show(ctx); err != nil {
		return err
	}
	if err := d.stop(ctx); err != nil {
		return err
	}
	return a.show(demoReport{d.steps})
}

// findClone gives the folder of the clone around the current folder.
func findClone(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Path}} {{.Dir}}").Output()
	path, dir, ok := strings.Cut(strings.TrimSpace(string(out)), " ")
	if err != nil || !ok || path != "github.com/virga-mesh/virga" {
		return "", mesh.Errorf(mesh.NotFound, "demo", "the current folder is not in a clone of github.com/virga-mesh/virga, or there is no Go tool: expected both, to build the examples")
	}
	return dir, nil
}

func (d *demo) start(ctx context.Context, a *app) error {
	fmt.Fprint(d.out, "Virga: a mesh of three nodes on this machine\n\n")
	var virgad string
	err := d.step(ctx, "build virgad", func(ctx context.Context) (_ string, err error) {
		virgad, err = localmesh.Virgad(ctx, d.home)
		return "", err
	})
	if err != nil {
		return err
	}
	err = d.step(ctx, "start three nodes: one process each, on loopback", func(ctx context.Context) (_ string, err error) {
		d.nodes, err = localmesh.Up(ctx, localmesh.Options{Home: d.home, Nodes: 3, Virgad: virgad})
		pids := make([]string, 0, len(d.nodes))
		for _, n := range d.nodes {
			pids = append(pids, fmt.Sprint(n.PID))
		}
		return "pids " + strings.Join(pids, " "), err
	})
	if err != nil {
		return err
	}
	return d.step(ctx, "connect as a client", func(ctx context.Context) (_ string, err error) {
		d.client, err = a.dial(ctx, sdk.Config{ContextDir: d.home})
		return "", err
	})
}

// stepTimeout bounds one step. The first one compiles the daemon, which on a
// fresh machine takes a while.
const stepTimeout = 5 * time.Minute

// step does one thing, and writes what it came to and how long it took.
func (d *demo) step(ctx context.Context, what string, do func(context.Context) (string, error)) error {
	fmt.Fprintf(d.out, "  %-58s", what)
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	start := time.Now()
	result, err := do(ctx)
	took := time.Since(start)
	if err != nil {
		fmt.Fprintf(d.out, " failed\n")
		return mesh.AsError("demo: "+what, err)
	}
	fmt.Fprintf(d.out, " %-30s %9s\n", result, rounded(took))
	d.steps = append(d.steps, demoStep{what, result, took.Microseconds()})
	return nil
}

// rounded keeps about three digits.
func rounded(d time.Duration) time.Duration {
	switch {
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	case d > time.Millisecond:
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Microsecond)
}

func (d *demo) stop(ctx context.Context) error {
	return d.step(ctx, "stop everything", func(ctx context.Context) (string, error) {
		stopped, err := localmesh.Down(ctx, d.home)
		return fmt.Sprintf("%d nodes stopped", len(stopped)), err
	})
}

// tidy stops what may still run, also after a failure or Ctrl-C, and removes the folder.
func (d *demo) tidy() error {
	_, err := localmesh.Down(context.Background(), d.home)
	if err != nil {
		return err // the folder stays: it tells what still runs
	}
	if err := os.RemoveAll(d.home); err != nil {
		return mesh.Errorf(mesh.Internal, "demo", "%w", err)
	}
	return nil
}

func (d *demo) example(name string) string { return filepath.Join(d.clone, "examples", name) }
