package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

type topOptions struct {
	once     bool
	interval time.Duration
	keys     int
}

func topCommand(a *app) *cobra.Command {
	var o topOptions
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch what the nodes hold, take and owe, and the hottest keys",
		Long: `Watch what the nodes hold, take and owe, and the hottest keys of the mesh, until
interrupted. Each node that is known is asked itself; one that does not answer
in time is shown as unreachable, with the figures that it published last, and
when. (Nodes publish theirs as state, every stats_interval.)

LOAD is the part of the node's places for invocations, or of the machine's
processor time, that was taken lately: above 100% with a queue. GETS/S and WRITES/S are what clients and functions asked of the node since it was
asked before. MEMORY and CACHE are the parts of their bounds that are taken. LAG is what other
nodes have not acknowledged: deltas on their way, and keys owed with the age of
the oldest debt. REPAIRS are copies of keys brought up to date beside writes,
UNSETTLED the partitions that the node has yet to compare or fetch.`,
		Example: "  virga top\n  virga top --once\n  virga top --once --interval 1s --output json",
		Args:    exactly(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runTop(cmd.Context(), a, o) },
	}
	cmd.Flags().BoolVar(&o.once, "once", false, "print one table and end")
	cmd.Flags().DurationVar(&o.interval, "interval", 2*time.Second, "time between two looks at the nodes")
	cmd.Flags().IntVar(&o.keys, "keys", 10, "how many hot keys to show")
	return cmd
}

func (o topOptions) validate(a *app) error {
	switch {
	case o.interval <= 0:
		return usagef("--interval %v: expected a positive duration", o.interval)
	case o.keys < 0:
		return usagef("--keys %d: expected 0 or more", o.keys)
	case a.output == outputJSON && !o.once:
		return usagef("--output json without --once: expected one look at the nodes")
	}
	return nil
}

func runTop(ctx context.Context, a *app, o topOptions) error {
	if err := o.validate(a); err != nil {
		return err
	}
	nodes := &sampler{app: a, hotKeys: o.keys}
	defer nodes.close()
	if err := nodes.sample(ctx); err != nil {
		return err
	}
	if o.once {
		if err := pause(ctx, o.interval); err != nil {
			return err
		}
		if err := nodes.sample(ctx); err != nil {
			return err
		}
		return a.show(describeTop(nodes, o.keys))
	}
	for {
		fmt.Fprint(a.stdout, clearScreen)
		describeTop(nodes, o.keys).text(a.stdout)
		if pause(ctx, o.interval) != nil || nodes.sample(ctx) != nil {
			return nil // interrupted: that is how it ends
		}
	}
}

// clearScreen empties a terminal and goes to its first line (ECMA-48, ED and CUP).
const clearScreen = "\x1b[2J\x1b[H"

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
