package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

type dagCreateOptions struct {
	name   string
	stages []string
	edges  []string
	dryRun bool
}

func dagCreateCommand(a *app) *cobra.Command {
	var o dagCreateOptions
	cmd := &cobra.Command{
		Use:   "create NAME --edge FROM:TO... [--stage NAME=FUNCTION]...",
		Short: "Create a DAG",
		Long: `Create a DAG from its edges. A stage that an edge names and no --stage declares
runs the function of its own name. A stage gets the call's arguments for it
first, then the results of its parents in the order of the edges.`,
		Example: `  virga dag create pipeline --edge incr:square
  virga dag create twice --stage first=incr --stage second=incr --edge first:second
  virga dag create single --stage square`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.name = args[0]
			return runDAGCreate(cmd.Context(), a, o)
		},
	}
	cmd.Flags().StringArrayVar(&o.stages, "stage", nil, "stage, as NAME=FUNCTION, or NAME alone for the function of that name")
	cmd.Flags().StringArrayVar(&o.edges, "edge", nil, "edge, as FROM:TO")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "check and print the DAG, and create nothing")
	return cmd
}

func runDAGCreate(ctx context.Context, a *app, o dagCreateOptions) error {
	dag, err := buildDAG(a.namespace, o)
	if err != nil {
		return err
	}
	if err := dag.Validate(); err != nil {
		return err
	}
	if o.dryRun {
		return a.show(describeDAG(dag))
	}
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		if err := client.CreateDAG(ctx, dag); err != nil {
			return err
		}
		return a.show(describeDAG(dag))
	})
}

// buildDAG puts the declared stages first, then those that only edges name.
func buildDAG(namespace string, o dagCreateOptions) (*mesh.DAG, error) {
	dag := &mesh.DAG{Namespace: namespace, Name: o.name}
	for _, text := range o.stages {
		name, function, named := strings.Cut(text, "=")
		if !named {
			function = name
		}
		if err := addStage(dag, name, function); err != nil {
			return nil, err
		}
	}
	for _, text := range o.edges {
		from, to, ok := strings.Cut(text, ":")
		if !ok || from == "" || to == "" {
			return nil, usagef("--edge %q: expected FROM:TO", text)
		}
		for _, end := range []string{from, to} {
			if dag.Stage(end) >= 0 {
				continue
			}
			if err := addStage(dag, end, end); err != nil {
				return nil, err
			}
		}
		dag.Edges = append(dag.Edges, mesh.Edge{From: from, To: to})
	}
	return dag, nil
}

func addStage(dag *mesh.DAG, name, function string) error {
	ref, err := mesh.ParseFuncRef(dag.Namespace, function)
	if err != nil {
		return mesh.AsError("stage "+name, err)
	}
	dag.Stages = append(dag.Stages, mesh.Stage{Name: name, Func: ref})
	return nil
}
