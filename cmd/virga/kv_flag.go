package main

import (
	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/lattice"
)

func kvEnableCommand(a *app) *cobra.Command {
	return switchCommand(a, "enable", "Turn a flag on", lattice.EnableOp(), "flag", "bool")
}

func kvDisableCommand(a *app) *cobra.Command {
	return switchCommand(a, "disable", "Turn a flag off", lattice.DisableOp(), "flag")
}

func switchCommand(a *app, name, short string, op lattice.Op, kind string, kinds ...string) *cobra.Command {
	var o updateOptions
	cmd := &cobra.Command{
		Use:     name + " KEY",
		Short:   short,
		Example: "  virga kv " + name + " maintenance",
		Args:    exactly("KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.key = args[0]
			return o.update(cmd.Context(), a, op)
		},
	}
	o.addFlags(cmd.Flags(), kind, kinds...)
	return cmd
}
