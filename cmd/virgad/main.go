// Command virgad is the daemon of Virga: one node as a process. It reads its
// configuration, runs package node, and stops on a signal. To start several
// on one machine see virga up.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/virga-mesh/virga/internal/exitcode"
	"github.com/virga-mesh/virga/internal/version"
	"github.com/virga-mesh/virga/mesh"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "virgad:", err)
	}
	os.Exit(exitcode.Of(err))
}

func command() *cobra.Command {
	var configFile string
	root := &cobra.Command{
		Use:   "virgad",
		Short: "Run one node of a Virga mesh",
		Long: `virgad runs one node of a Virga mesh until it gets SIGINT or SIGTERM.

Each setting may stand in the YAML file, in the environment and on the command
line; the last of these wins. A key that is not known is an error.

` + environmentHelp() + "\n" + exitcode.Help(),
		Example: `  virgad --config virgad.yaml
  virgad --data ./data --listen 0.0.0.0:7000 --token "$(cat node.token)"
  VIRGA_LOG_FORMAT=json virgad --config virgad.yaml`,
		Args:          noArguments,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := load(configFile, os.LookupEnv, cmd.Flags())
			if err != nil {
				return err
			}
			return run(cmd.Context(), s, cmd.OutOrStdout(), os.Stderr)
		},
	}
	root.Flags().StringVar(&configFile, "config", "", "YAML file with settings")
	addFlags(root.Flags())
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return mesh.Errorf(mesh.Invalid, "usage", "%w; see virgad --help", err)
	})
	root.AddCommand(&cobra.Command{
		Use:     "version",
		Short:   "Print the version of this program",
		Example: "  virgad version",
		Args:    noArguments,
		Run:     func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), "virgad", version.String()) },
	})
	return root
}

// addFlags gives each setting its flag. All are texts: the settings' own
// setters read them, so that a value means the same wherever it stands.
func addFlags(flags *pflag.FlagSet) {
	flags.SortFlags = false
	for _, s := range table() {
		if s.list {
			flags.Var(&several{}, s.flag(), s.help+"; may be repeated")
			continue
		}
		flags.String(s.flag(), "", s.help)
	}
	flags.Lookup("mdns").NoOptDefVal = "true"
}

// several are the values of a flag that may be repeated, with commas between them.
type several struct{ values []string }

func (s *several) String() string { return strings.Join(s.values, ",") }

func (s *several) Set(text string) error {
	s.values = append(s.values, text)
	return nil
}

func (s *several) Type() string { return "strings" }

func environmentHelp() string {
	var b strings.Builder
	b.WriteString("Keys of the file, and their names in the environment:\n")
	for _, s := range table() {
		fmt.Fprintf(&b, "  %-22s %s\n", s.name, s.env())
	}
	return b.String()
}

func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return mesh.Errorf(mesh.Invalid, "usage", "unexpected argument %q; see virgad --help", args[0])
	}
	return nil
}
