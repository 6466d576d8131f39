package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/sdk"
)

// absentVersion stands on the command line for the version of a key that does not exist.
const absentVersion = "absent"

func kvCASCommand(a *app) *cobra.Command {
	var o updateOptions
	cmd := &cobra.Command{
		Use:   "cas KEY VERSION VALUE",
		Short: "Write a register if it is as it was read",
		Long: `Write a register if its version is still VERSION, as kv get --versioned printed it, and
print the version after that. The VERSION absent is that of a key that does not exist. If the version is another,
nothing changes, the message tells which it is, and the exit code is that of a conflict.`,
		Example: `  virga kv cas leader absent node-1
  virga kv get --versioned leader
  virga kv cas leader 4f2a09c1d0e8b7a65544332211aabbcc node-2`,
		Args: exactly("KEY", "VERSION", "VALUE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.key = args[0]
			return runKVCAS(cmd.Context(), a, o, args[1], args[2])
		},
	}
	o.addFlags(cmd.Flags(), "lww", "mv-register", "causal")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "VALUE is JSON")
	return cmd
}

func runKVCAS(ctx context.Context, a *app, o updateOptions, version, value string) error {
	if version == absentVersion {
		version = string(sdk.Absent)
	} else if version == "" {
		return usagef("VERSION is empty: expected one that kv get --versioned printed, or %s", absentVersion)
	}
	payload, err := o.registerPayload(a, value)
	if err != nil {
		return err
	}
	kind, err := o.latticeKind(lattice.VerbSet)
	if err != nil {
		return err
	}
	options, err := o.stateOptions()
	if err != nil {
		return err
	}
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		now, err := client.WithState(options).CompareAndSet(ctx, o.key, sdk.Version(version), kind, lattice.SetOp(payload))
		if err != nil {
			return err
		}
		return a.show(versioned{o.key, now})
	})
}

type versioned struct {
	Key     string      `json:"key"`
	Version sdk.Version `json:"version"`
}

func (v versioned) text(w io.Writer) { fmt.Fprintln(w, v.Version) }
