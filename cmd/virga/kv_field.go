package main

import (
	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/lattice"
)

func kvPutFieldCommand(a *app) *cobra.Command {
	var o updateOptions
	cmd := &cobra.Command{
		Use:     "put-field KEY FIELD VALUE",
		Short:   "Write a field of a map",
		Long:    "Write a field of a map, as a register: a text as it is, or with --json a JSON value.",
		Example: "  virga kv put-field user/1 name Ada\n  virga kv put-field user/1 age --json 36",
		Args:    exactly("KEY", "FIELD", "VALUE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.key = args[0]
			payload, err := o.payload(args[2])
			if err != nil {
				return err
			}
			return o.update(cmd.Context(), a, lattice.PutOp(args[1], lattice.LWWKind, lattice.SetOp(payload)))
		},
	}
	o.addFlags(cmd.Flags(), "or-map", "map")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "VALUE is JSON")
	return cmd
}

func kvDropFieldCommand(a *app) *cobra.Command {
	var o updateOptions
	cmd := &cobra.Command{
		Use:     "drop-field KEY FIELD",
		Short:   "Take a field out of an or-map",
		Example: "  virga kv drop-field user/1 age",
		Args:    exactly("KEY", "FIELD"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.key = args[0]
			return o.update(cmd.Context(), a, lattice.DropOp(args[1]))
		},
	}
	o.addFlags(cmd.Flags(), "or-map")
	return cmd
}
