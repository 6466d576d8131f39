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
		dagCreateCommand(a), dagApplyCommand(a), dagCallCommand(a), dagListCommand(a), dagShowCommand(a), dagDeleteCommand(a))
}

// dagDescription is a DAG as commands print it.
type dagDescription struct {
	Name   string     `json:"name"`
	Stages []dagStage `json:"stages"`
	Edges  []string   `json:"edges"`
	Level  string     `json:"consistency,omitempty"`

	dag *mesh.DAG
}

type dagStage struct {
	Name     string   `json:"name"`
	Function string   `json:"function"`
	Options  []string `json:"options,omitempty"`
}

func describeDAG(dag *mesh.DAG) dagDescription {
	d := dagDescription{Name: dag.Name, Edges: []string{}, dag: dag}
	for i := range dag.Stages {
		s := &dag.Stages[i]
		d.Stages = append(d.Stages, dagStage{s.Name, s.Func.String(), optionWords(&s.StageOptions)})
	}
	for _, e := range dag.Edges {
		d.Edges = append(d.Edges, edgeText(e))
	}
	if dag.Consistency != mesh.Eventual {
		d.Level = dag.Consistency.String()
	}
	return d
}

func (d dagDescription) text(w io.Writer) {
	fmt.Fprintf(w, "dag %s\n", d.Name)
	if d.Level != "" {
		fmt.Fprintf(w, "  consistency %s\n", d.Level)
	}
	for _, s := range d.Stages {
		fmt.Fprintln(w, strings.Join(append([]string{"  stage", s.Name, "runs", s.Function}, s.Options...), " "))
	}
	for _, e := range d.Edges {
		fmt.Fprintf(w, "  edge %s\n", strings.Replace(e, ":", " -> ", 1))
	}
}

func (d dagDescription) yaml() ([]byte, error) { return writeDAGs([]*mesh.DAG{d.dag}) }

func dagListCommand(a *app) *cobra.Command {
	var o listOptions
	cmd := &cobra.Command{
		Use:   "list [PREFIX]",
		Short: "List DAGs",
		Long:  "List DAGs. With --output yaml they are written as virga dag apply reads them.",
		Example: `  virga dag list
  virga dag list pipe --output json
  virga dag list --output yaml > dags.yaml`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.prefix = strings.Join(args, "")
			return runDAGList(cmd.Context(), a, o)
		},
	}
	o.addFlags(cmd.Flags())
	allowYAML(cmd)
	return cmd
}

func runDAGList(ctx context.Context, a *app, o listOptions) error {
	if err := o.validate(); err != nil {
		return err
	}
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		list := dagList{DAGs: []dagDescription{}}
		for dag, err := range client.ListDAGsAfter(ctx, o.prefix, o.after) {
			if err != nil {
				return err
			}
			if o.full(len(list.DAGs)) {
				list.More = true
				break
			}
			list.DAGs = append(list.DAGs, describeDAG(dag))
		}
		return a.show(list)
	})
}

type dagList struct {
	DAGs []dagDescription `json:"dags"`
	More bool             `json:"more,omitempty"`
}

func (l dagList) text(w io.Writer) {
	var rows [][]string
	for _, d := range l.DAGs {
		rows = append(rows, []string{d.Name, fmt.Sprint(len(d.Stages)), strings.Join(d.Edges, " ")})
	}
	writeTable(w, []string{"NAME", "STAGES", "EDGES"}, rows)
	if l.More {
		writeMore(w, l.DAGs[len(l.DAGs)-1].Name)
	}
}

func (l dagList) yaml() ([]byte, error) {
	var dags []*mesh.DAG
	for _, d := range l.DAGs {
		dags = append(dags, d.dag)
	}
	return writeDAGs(dags)
}

func dagShowCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show NAME",
		Short:   "Show a DAG's stages and edges",
		Long:    "Show a DAG's stages and edges. With --output yaml they are written as virga dag apply reads them.",
		Example: "  virga dag show pipeline\n  virga dag show pipeline --output yaml > pipeline.yaml",
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runDAGShow(cmd.Context(), a, args[0])
		},
	}
	allowYAML(cmd)
	return cmd
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
