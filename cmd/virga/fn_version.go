package main

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/sdk"
)

func fnVersionsCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "versions NAME",
		Short:   "List a function's versions, oldest first, and their aliases",
		Example: "  virga fn versions square",
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runFnVersions(cmd.Context(), a, args[0])
		},
	}
}

func runFnVersions(ctx context.Context, a *app, name string) error {
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		versions, err := client.Versions(ctx, name)
		if err != nil {
			return err
		}
		list := versionList{Name: name, Versions: []versionDescription{}}
		for _, v := range versions {
			described := versionDescription{funcDescription: describeFunc(v.FuncInfo), Current: v.Current, Aliases: v.Aliases}
			described.Deployed = v.Deployed.UTC().Format(time.RFC3339)
			list.Versions = append(list.Versions, described)
		}
		return a.show(list)
	})
}

type versionList struct {
	Name     string               `json:"name"`
	Versions []versionDescription `json:"versions"`
}

type versionDescription struct {
	funcDescription
	Deployed string   `json:"deployed"`
	Current  bool     `json:"current"`
	Aliases  []string `json:"aliases,omitempty"`
}

func (l versionList) text(w io.Writer) {
	var rows [][]string
	for _, v := range l.Versions {
		current := ""
		if v.Current {
			current = "current"
		}
		rows = append(rows, []string{v.Version, v.Kind, v.Deployed, v.where(), current, strings.Join(v.Aliases, " ")})
	}
	writeTable(w, []string{"VERSION", "KIND", "DEPLOYED", "RUNS ON", "CURRENT", "ALIASES"}, rows)
}

func fnUseCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "use NAME VERSION",
		Short:   "Make a version current, named by itself or by an alias",
		Example: "  virga fn versions square\n  virga fn use square ffd20bd4841c",
		Args:    exactly("NAME", "VERSION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runFnUse(cmd.Context(), a, args[0], args[1])
		},
	}
}

func runFnUse(ctx context.Context, a *app, name, version string) error {
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		if err := client.UseVersion(ctx, name, version); err != nil {
			return err
		}
		return a.show(done{"function " + name + " is now version " + version})
	})
}

func fnRollbackCommand(a *app) *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "rollback NAME",
		Short: "Make the version before the current one current again",
		Long: `Make the version that was deployed before the current one current again, or the one
that --to names. Every node runs it from the next call on; the newer one stays.`,
		Example: "  virga fn rollback square\n  virga fn rollback square --to ffd20bd4841c",
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runFnRollback(cmd.Context(), a, args[0], to)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "version, or alias, to go back to")
	return cmd
}

func runFnRollback(ctx context.Context, a *app, name, to string) error {
	if to != "" {
		return runFnUse(ctx, a, name, to)
	}
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		info, err := client.Rollback(ctx, name)
		if err != nil {
			return err
		}
		return a.show(done{"function " + name + " is now version " + info.Ref.Version})
	})
}
