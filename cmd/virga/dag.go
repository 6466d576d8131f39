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

func dagCommand(a *app) *cobra.Command {
	return group("dag", "Compose functions: create, call and manage DAGs",
		"  virga dag create pipeline --edge incr:square\n  virga dag call pipeline incr=1",
		dagCreateCommand(a), dagCallCommand(a), dagListCommand(a), dagShowCommand(a), dagDeleteCommand(a))
}

// dagDescription is a DAG as commands print it.
type dagDescription struct {
	Name   string     `json:"name"`
	Stages []dagStage `json:"stages"`
	Edges  []string   `json:"edges"`
}

type dagStage struct {
	Name     string `json:"name"`
	Function string `json:"function"`
}

func describeDAG(dag *mesh.DAG) dagDescription {
	d := dagDescription{Name: dag.Name, Edges: []string{}}
	for _, s := range dag.Stages {
		d.Stages = append(d.Stages, dagStage{s.Name, s.Func.String()})
	}
	for _, e := range dag.Edges {
		d.Edges = append(d.Edges, e.From+":"+e.To)
	}
	return d
}

func (d dagDescription) text(w io.Writer) {
	fmt.Fprintf(w, "dag %s\n", d.Name)
	for _, s := range d.Stages {
		fmt.Fprintf(w, "  stage %s runs %s\n", s.Name, s.Function)
	}
	for _, e := range d.Edges {
		fmt.Fprintf(w, "  edge %s\n", strings.Replace(e, ":", " -> ", 1))
	}
}

func dagListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "list [PREFIX]",
		Short:   "List DAGs",
		Example: "  virga dag list\n  virga dag list pipe --output json",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runDAGList(cmd.Context(), a, strings.Join(args, ""))
		},
	}
}

func runDAGList(ctx context.Context, a *app, prefix string) error {
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		list := dagList{DAGs: []dagDescription{}}
		for dag, err := range client.ListDAGs(ctx, prefix) {
			if err != nil {
				return err
			}
			list.DAGs = append(list.DAGs, describeDAG(dag))
		}
		return a.show(list)
	})
}

type dagList struct {
	DAGs []dagDescription `json:"dags"`
}

func (l dagList) text(w io.Writer) {
	var rows [][]string
	for _, d := range l.DAGs {
		rows = append(rows, []string{d.Name, fmt.Sprint(len(d.Stages)), strings.Join(d.Edges, " ")})
	}
	writeTable(w, []string{"NAME", "STAGES", "EDGES"}, rows)
}

func dagShowCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Show a DAG's stages and edges",
		Example: "  virga dag show pipeline",
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runDAGShow(cmd.Context(), a, args[0])
		},
	}
}

func runDAGShow(ctx context.Context, a *app, name string) error {
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		dag, err := client.GetDAG(ctx, name)
		if err != nil {
			return err
		}
		return a.show(describeDAG(dag))
	})
}

func dagDeleteCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "delete NAME",
		Short:   "Delete a DAG; its functions stay",
		Example: "  virga dag delete pipeline",
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runDAGDelete(cmd.Context(), a, args[0])
		},
	}
}

func runDAGDelete(ctx context.Context, a *app, name string) error {
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		if err := client.DeleteDAG(ctx, name); err != nil {
			return err
		}
		return a.show(done{"deleted dag " + name})
	})
}
