package main

import (
	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/internal/exitcode"
	"github.com/virga-mesh/virga/mesh"
)

func rootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "virga",
		Short: "Use a Virga mesh",
		Long: `virga uses a Virga mesh: it calls functions and DAGs, reads and changes state,
deploys code, and starts meshes on this machine.

It finds the mesh in the folder that VIRGA_HOME names, or else .virga in the
current folder: virga up leaves a context there, and so does virga mesh join.

` + exitcode.Help(),
		Example: `  virga demo
  virga up
  virga fn deploy square ./examples/square
  virga call square 2
  virga down`,
		Args:              noCommand,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.validate(cmd) },
		SilenceErrors:     true,
		SilenceUsage:      true,
	}
	a.addFlags(root.PersistentFlags())
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(
		upCommand(a), downCommand(a), demoCommand(a), statusCommand(a), topCommand(a), nodeCommand(a), logsCommand(a), doctorCommand(a),
		callCommand(a), dagCommand(a), runCommand(a), fnCommand(a), triggerCommand(a), kvCommand(a),
		exportCommand(a), importCommand(a), backupCommand(a), restoreCommand(a),
		meshCommand(a), tokenCommand(a), versionCommand(a), benchCommand(a), benchNodeCommand(a), benchEchoCommand(a),
	)
	root.InitDefaultCompletionCmd()
	if completion, _, err := root.Find([]string{"completion"}); err == nil {
		completion.Args = noCommand
		completion.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		completion.Example = "  source <(virga completion bash)"
	}
	return root
}

// flagError says what to do about a flag that is not understood.
func flagError(cmd *cobra.Command, err error) error {
	return usagef("%v; see %s --help (an argument that begins with a dash goes after --)", err, cmd.CommandPath())
}

// group makes a command that only holds others.
func group(use, short, example string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Example: example, Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(commands...)
	return cmd
}

func usagef(format string, args ...any) error {
	return mesh.Errorf(mesh.Invalid, "usage", format, args...)
}

// noCommand is for commands that hold others: a word that remains names none of them.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%q is not a command; see %s --help", args[0], cmd.CommandPath())
	}
	return nil
}

// exactly wants one argument for each name.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > len(names) {
			return usagef("unexpected argument %q; see %s --help", args[len(names)], cmd.CommandPath())
		}
		return atLeast(names...)(cmd, args)
	}
}

// atLeast wants one argument for each name, and takes more.
func atLeast(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return usagef("argument %s is missing; see %s --help", names[len(args)], cmd.CommandPath())
		}
		return nil
	}
}

// atMost takes up to n arguments.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return usagef("unexpected argument %q; see %s --help", args[n], cmd.CommandPath())
		}
		return nil
	}
}
