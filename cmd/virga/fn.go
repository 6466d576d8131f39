package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

func fnCommand(a *app) *cobra.Command {
	return group("fn", "Deploy and manage functions",
		"  virga fn deploy square ./examples/square\n  virga fn list",
		fnDeployCommand(a), fnListCommand(a), fnShowCommand(a), fnVersionsCommand(a), fnUseCommand(a), fnRollbackCommand(a),
		fnAliasCommand(a), fnPinCommand(a), fnUnpinCommand(a), fnDeleteCommand(a))
}

// funcDescription is a function as commands print it.
type funcDescription struct {
	Name        string   `json:"name"`
	Version     string   `json:"version"`
	Kind        string   `json:"kind"`
	Size        int64    `json:"size,omitempty"`
	Export      string   `json:"export,omitempty"`
	Hosts       []string `json:"hosts,omitempty"`
	MemoryBytes uint64   `json:"memory_bytes,omitempty"`
	Time        string   `json:"time,omitempty"`
	Concurrency int      `json:"concurrency,omitempty"`

	anywhere bool
}

func describeFunc(info mesh.FuncInfo) funcDescription {
	d := funcDescription{
		Name: info.Ref.Name, Version: info.Ref.Version, Kind: info.Kind.String(), Size: info.Size, Export: info.Export,
		MemoryBytes: info.Limits.Memory, Concurrency: info.Limits.Concurrency,
		anywhere: info.Kind.Anywhere(),
	}
	if info.Limits.Time > 0 {
		d.Time = info.Limits.Time.String()
	}
	for _, host := range info.Hosts {
		d.Hosts = append(d.Hosts, host.String())
	}
	return d
}

// where says which nodes can run the function.
func (d funcDescription) where() string {
	switch {
	case d.anywhere:
		return "any node"
	case len(d.Hosts) == 0:
		return "no node now"
	}
	return strings.Join(d.Hosts, " ")
}

func fnListCommand(a *app) *cobra.Command {
	var o listOptions
	cmd := &cobra.Command{
		Use:     "list [PREFIX]",
		Short:   "List functions: current version, kind, where they run",
		Example: "  virga fn list\n  virga fn list sq --output json\n  virga fn list --limit 100 --after square",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.prefix = strings.Join(args, "")
			return runFnList(cmd.Context(), a, o)
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

func runFnList(ctx context.Context, a *app, o listOptions) error {
	if err := o.validate(); err != nil {
		return err
	}
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		list := funcList{Functions: []listedFunc{}}
		used, err := usages(ctx, client)
		if err != nil {
			return err
		}
		for info, err := range client.ListFuncsAfter(ctx, o.prefix, o.after) {
			if err != nil {
				return err
			}
			if o.full(len(list.Functions)) {
				list.More = true
				break
			}
			list.Functions = append(list.Functions, listedFunc{describeFunc(info), used[info.Ref]})
		}
		return a.show(list)
	})
}

type funcList struct {
	Functions []listedFunc `json:"functions"`
	More      bool         `json:"more,omitempty"`
}

// listedFunc is a function, and how its current version is used.
type listedFunc struct {
	funcDescription
	funcUsage
}

func (l funcList) text(w io.Writer) {
	var rows [][]string
	for _, d := range l.Functions {
		rows = append(rows, []string{d.Name, d.Kind, shortVersion(d.Version), d.where(), d.warm(), fmt.Sprintf("%.1f", d.Rate), d.mean()})
	}
	writeTable(w, []string{"NAME", "KIND", "VERSION", "RUNS ON", "WARM", "CALLS/S", "MEAN"}, rows)
	if l.More {
		writeMore(w, l.Functions[len(l.Functions)-1].Name)
	}
}

func fnShowCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME[@VERSION]",
		Short:   "Show a function, its limits and its versions",
		Example: "  virga fn show square",
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runFnShow(cmd.Context(), a, args[0])
		},
	}
}

func runFnShow(ctx context.Context, a *app, name string) error {
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		f, err := client.GetFunc(ctx, name)
		if err != nil {
			return err
		}
		return a.show(funcDetails{describeFunc(f.Current), f.Versions})
	})
}

type funcDetails struct {
	funcDescription
	Versions []string `json:"versions"`
}

func (d funcDetails) text(w io.Writer) {
	fmt.Fprintf(w, "%s, %s, version %s\nruns on %s\n", d.Name, d.Kind, d.Version, d.where())
	if d.Size > 0 {
		fmt.Fprintf(w, "module of %d bytes, export %q\n", d.Size, d.Export)
	}
	if d.MemoryBytes > 0 || d.Time != "" || d.Concurrency > 0 {
		fmt.Fprintf(w, "limits: memory %d bytes, time %s, concurrency %d (0: the node's)\n", d.MemoryBytes, d.Time, d.Concurrency)
	}
	fmt.Fprintf(w, "versions, oldest first:\n")
	for _, v := range d.Versions {
		fmt.Fprintf(w, "  %s\n", v)
	}
}

func fnDeleteCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "delete NAME",
		Short:   "Delete a function with all its versions",
		Example: "  virga fn delete square",
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runFnDelete(cmd.Context(), a, args[0])
		},
	}
}

func runFnDelete(ctx context.Context, a *app, name string) error {
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		if err := client.DeleteFunc(ctx, name); err != nil {
			return err
		}
		return a.show(done{"deleted function " + name})
	})
}
