package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

type triggerCreateOptions struct {
	name string
	args []string

	onKey, onPrefix string
	cron, zone      string
	after           time.Duration
	at              string

	function, dag string

	atOnce, rate, attempts int
	runTimeout             time.Duration
}

func triggerCreateCommand(a *app) *cobra.Command {
	var o triggerCreateOptions
	cmd := &cobra.Command{
		Use:   "create NAME (--on-key KEY | --on-prefix PREFIX | --cron EXPRESSION | --after TIME | --at MOMENT) (--run FUNCTION | --dag DAG) [ARG...]",
		Short: "Create a trigger",
		Long: `Create a trigger: it runs a function or a DAG each time that something happens.
A trigger of that name is replaced, and begins anew.

A change of a key hands over an object with what changed, and then the
arguments: {"namespace", "key", "kind", "deleted", "value", "time"}. A value of
more than 64 KiB is left out, and "omitted" is true. Changes that come faster
than they are run become one; the last state is always run. Moments hand over
the arguments alone. A DAG's stages without parents get them. Arguments are
JSON, as for virga call.

A run that fails is tried again, with pauses of 1 s and more, up to --attempts
times. A function that writes keys that fire it runs again and again, --rate
times a second at most.`,
		Example: `  virga trigger create index --on-prefix page/ --run index
  virga trigger create audit --on-key config --dag audit '"config"'
  virga trigger create report --cron "0 9 * * mon-fri" --zone Europe/Berlin --run report
  virga trigger create reminder --after 10m --run remind '"tea"'
  virga trigger create launch --at 2027-01-01T00:00:00Z --dag launch`,
		Args: atLeast("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.name, o.args = args[0], args[1:]
			cause, err := o.cause(cmd.Flags().Changed)
			if err != nil {
				return err
			}
			return runTriggerCreate(cmd.Context(), a, o, cause)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.onKey, "on-key", "", "run when this key changes")
	flags.StringVar(&o.onPrefix, "on-prefix", "", "run when a key changes whose name begins so; empty: any key of the namespace")
	flags.StringVar(&o.cron, "cron", "", "run at these moments: minute, hour, day of the month, month, day of the week")
	flags.StringVar(&o.zone, "zone", "", "time zone of --cron, such as Europe/Berlin (default: UTC)")
	flags.DurationVar(&o.after, "after", 0, "run once, after this time")
	flags.StringVar(&o.at, "at", "", "run once, at this moment, such as 2027-01-01T12:00:00Z")
	flags.StringVar(&o.function, "run", "", "the function to run, as NAME or NAME@VERSION")
	flags.StringVar(&o.dag, "dag", "", "the DAG to run")
	flags.IntVar(&o.atOnce, "at-once", 0, "runs under way at once, at most (default 8)")
	flags.IntVar(&o.rate, "rate", 0, "runs that begin within a second, at most (default 50)")
	flags.IntVar(&o.attempts, "attempts", 0, "how often a run is tried that fails (default 3)")
	flags.DurationVar(&o.runTimeout, "run-timeout", 0, "longest time of a run (default: the node's)")
	return cmd
}

// cause reads what fires the trigger from the flags that were given.
func (o triggerCreateOptions) cause(given func(string) bool) (cause mesh.Cause, err error) {
	var kinds []string
	for _, flag := range []string{"on-key", "on-prefix", "cron", "after", "at"} {
		if given(flag) {
			kinds = append(kinds, flag)
		}
	}
	if len(kinds) != 1 {
		return cause, usagef("%d of --on-key, --on-prefix, --cron, --after and --at are given: expected one of them", len(kinds))
	}
	if given("zone") && kinds[0] != "cron" {
		return cause, usagef("--zone is for --cron: --at has its zone within")
	}
	switch kinds[0] {
	case "on-key":
		return mesh.Cause{Kind: mesh.OnKey, Key: o.onKey}, nil
	case "on-prefix":
		return mesh.Cause{Kind: mesh.OnPrefix, Key: o.onPrefix}, nil
	case "cron":
		return mesh.Cause{Kind: mesh.OnCron, Cron: o.cron, Zone: o.zone}, nil
	case "after":
		return mesh.Cause{Kind: mesh.OnTime, After: o.after}, nil
	}
	at, err := time.Parse(time.RFC3339, o.at)
	if err != nil {
		return cause, usagef("--at %q: expected a moment such as 2027-01-01T12:00:00Z or 2027-01-01T12:00:00+01:00", o.at)
	}
	return mesh.Cause{Kind: mesh.OnTime, At: at}, nil
}

func runTriggerCreate(ctx context.Context, a *app, o triggerCreateOptions, cause mesh.Cause) error {
	t := mesh.Trigger{
		Namespace: a.namespace, Name: o.name, Cause: cause, DAG: o.dag,
		AtOnce: o.atOnce, Rate: o.rate, Attempts: o.attempts, Timeout: o.runTimeout,
	}
	if (o.function == "") == (o.dag == "") {
		return usagef("--run and --dag: expected one of them")
	}
	if o.function != "" {
		var err error
		if t.Func, err = mesh.ParseFuncRef(a.namespace, o.function); err != nil {
			return err
		}
	}
	if err := t.Validate(); err != nil {
		return err
	}
	args, err := argReader{stdin: a.stdin, literal: true}.readAll(o.args)
	if err != nil {
		return err
	}
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		return a.showTrigger(client.CreateTrigger(ctx, t, args...))
	})
}
