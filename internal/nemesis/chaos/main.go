// Command chaos torments a mesh of virgad processes and tells what it cost:
// see package nemesis. It fails when something acknowledged was lost or not
// seen, something was counted twice or is there that was never written, a run
// saw what its level of consistency forbids, or the mesh did not come back.
package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/virga-mesh/virga/internal/exitcode"
	"github.com/virga-mesh/virga/internal/nemesis"
	"github.com/virga-mesh/virga/mesh"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(exitcode.Of(err))
	}
}

// options are the flags.
type options struct {
	nemesis.Options
	output string
	keep   bool
}

func run() (err error) {
	if err := nemesis.SetApart(); err != nil {
		return err
	}
	o, err := parse(os.Args[1:])
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if o.Home == "" {
		if o.Home, err = os.MkdirTemp("", "virga-chaos-"); err != nil {
			return err
		}
	}
	fmt.Fprintf(os.Stderr, "seed %d, in %s\n", o.Seed, o.Home)
	o.Progress = func(line string) { fmt.Fprintln(os.Stderr, line) }
	report, err := nemesis.Run(ctx, o.Options)
	if err != nil {
		return err
	}
	if o.output == "json" {
		err = report.JSON(os.Stdout)
	} else {
		err = report.Table(os.Stdout)
	}
	switch {
	case err != nil:
		return err
	case report.Failed():
		return mesh.Errorf(mesh.Internal, "", "it failed; logs and data are in %s; to see it again: --seed %d", o.Home, o.Seed)
	case o.keep:
		return nil
	}
	return os.RemoveAll(o.Home)
}

func parse(args []string) (o options, err error) {
	flags := pflag.NewFlagSet("chaos", pflag.ExitOnError)
	flags.DurationVar(&o.Time, "time", time.Minute, "for how long faults are made")
	flags.Uint64Var(&o.Seed, "seed", 0, "what befalls whom follows from it (0: drawn)")
	flags.IntVar(&o.Nodes, "nodes", 5, "nodes of the mesh")
	flags.IntVar(&o.Clients, "clients", 8, "clients that read and write")
	flags.IntVar(&o.Runners, "runners", 2, "clients beside those that run DAGs whose stages count; needs Go and a clone, unless 0")
	flags.IntVar(&o.Callers, "callers", 3, "clients beside those at each level of consistency, that run DAGs whose stages tell what they read and wrote; needs Go and a clone, unless 0")
	flags.BoolVar(&o.Lax, "lax", false, "have these runs ask for no level, and fail by what the level forbids all the same")
	flags.IntVar(&o.Rate, "rate", 100, "most calls a second of one client")
	flags.StringArrayVar(&o.Faults, "fault", nil, "make this fault; may be given again (default all)")
	flags.IntVar(&o.Adds, "adds", 0, "add so many elements to sets instead, while nodes are killed")
	flags.IntVar(&o.Kills, "kills", 10, "of nodes, with --adds")
	flags.StringVar(&o.Home, "home", "", "folder of the mesh (default a new one)")
	flags.BoolVar(&o.keep, "keep", false, "leave the folder; after a failure it is left anyway")
	flags.StringVar(&o.output, "output", "table", "table or json")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, mesh.Errorf(mesh.Invalid, "", "%q: expected flags only", flags.Args())
	}
	if o.output != "table" && o.output != "json" {
		return o, mesh.Errorf(mesh.Invalid, "", "--output %q: expected table or json", o.output)
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	return o, nil
}
