package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/sdk"
)

func fnAliasCommand(a *app) *cobra.Command {
	var remove bool
	cmd := &cobra.Command{
		Use:   "alias NAME@ALIAS VERSION | NAME@ALIAS --delete | NAME",
		Short: "Name a version of a function, or list or delete such names",
		Long: `Make an alias: another name for a version of a function. NAME@ALIAS is then that
version, in calls and in DAGs, until the alias is moved or deleted. VERSION may
be another alias, whose version it is now. With NAME alone, list the aliases.`,
		Example: `  virga fn alias square@prod ffd20bd4841c
  virga call square@prod 2
  virga fn alias square
  virga fn alias square@prod --delete`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := atLeast("NAME")(cmd, args); err != nil {
				return err
			}
			return atMost(2)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			name, alias, named := strings.Cut(args[0], "@")
			switch {
			case !named && len(args) == 1 && !remove:
				return runFnAliasList(cmd.Context(), a, name)
			case alias == "" || remove == (len(args) == 2):
				return usagef("expected NAME@ALIAS and a VERSION, NAME@ALIAS and --delete, or NAME alone; see %s --help", cmd.CommandPath())
			}
			return runFnAlias(cmd.Context(), a, name, alias, append(args[1:], "")[0])
		},
	}
	cmd.Flags().BoolVar(&remove, "delete", false, "delete the alias; the version stays")
	return cmd
}

// runFnAlias makes an alias or, for no version, deletes it.
func runFnAlias(ctx context.Context, a *app, name, alias, version string) error {
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		if version == "" {
			if err := client.DeleteAlias(ctx, name, alias); err != nil {
				return err
			}
			return a.show(done{"deleted alias " + name + "@" + alias})
		}
		if err := client.SetAlias(ctx, name, alias, version); err != nil {
			return err
		}
		return a.show(done{name + "@" + alias + " is now version " + version})
	})
}

func runFnAliasList(ctx context.Context, a *app, name string) error {
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		versions, err := client.Versions(ctx, name)
		if err != nil {
			return err
		}
		list := aliasList{Name: name, Aliases: map[string]string{}}
		for _, v := range versions {
			for _, alias := range v.Aliases {
				list.Aliases[alias] = v.Ref.Version
				list.rows = append(list.rows, []string{fmt.Sprint(name, "@", alias), v.Ref.Version})
			}
		}
		slices.SortFunc(list.rows, slices.Compare)
		return a.show(list)
	})
}

type aliasList struct {
	Name    string            `json:"name"`
	Aliases map[string]string `json:"aliases"`

	rows [][]string
}

func (l aliasList) text(w io.Writer) { writeTable(w, []string{"ALIAS", "VERSION"}, l.rows) }
