package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

type dagCreateOptions struct {
	name   string
	stages []string
	edges  []string
	level  string
	dryRun bool
}

func dagCreateCommand(a *app) *cobra.Command {
	var o dagCreateOptions
	cmd := &cobra.Command{
		Use:   "create NAME --edge 'FROM:TO [when CONDITION]'... [--stage 'NAME=FUNCTION [OPTION]...']...",
		Short: "Create a DAG, or replace one",
		Long: `Create a DAG from its edges, or replace the one of that name. A stage that an edge
names and no --stage declares runs the function of its own name. A stage gets
the call's arguments for it first, then the results of its parents in the order
of the edges.

Options of a stage follow its function, after blanks:
` + stageOptionHelp + `  any invalid=JSON...                 take the first of the parents' results that is not invalid

A condition is PATH OPERATOR JSON, or PATH exists, or PATH missing: the path goes
into the result of FROM, and is . for the whole of it; operators are == != < <= > >=.

For more than a few stages, see virga dag apply.`,
		Example: `  virga dag create pipeline --edge incr:square
  virga dag create twice --stage first=incr --stage second=incr --edge first:second
  virga dag create single --stage square
  virga dag create steady --stage 'fetch retry=3 backoff=100ms timeout=1s' --edge fetch:square
  virga dag create alarms --edge 'measure:alarm when celsius > 90' --edge measure:store
  virga dag create fastest --stage 'best=pick any invalid=null' --edge east:best --edge west:best`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.name = args[0]
			return runDAGCreate(cmd.Context(), a, o)
		},
	}
	cmd.Flags().StringArrayVar(&o.stages, "stage", nil, "stage, as 'NAME=FUNCTION [OPTION]...', or NAME alone for the function of that name")
	cmd.Flags().StringArrayVar(&o.edges, "edge", nil, "edge, as FROM:TO or 'FROM:TO when CONDITION'")
	cmd.Flags().StringVar(&o.level, "consistency", "", "of what its runs read: eventual (default), repeatable, causal-key, causal-cut, causal-session or transactional")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "check and print the DAG, and create nothing")
	allowYAML(cmd)
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
	level, err := mesh.ParseConsistency(o.level)
	if err != nil {
		return nil, err
	}
	dag := &mesh.DAG{Namespace: namespace, Name: o.name, Consistency: level}
	for _, text := range o.stages {
		stage, err := parseStage(namespace, text)
		if err != nil {
			return nil, err
		}
		dag.Stages = append(dag.Stages, stage)
	}
	for _, text := range o.edges {
		edge, err := parseEdge(text)
		if err != nil {
			return nil, err
		}
		for _, end := range []string{edge.From, edge.To} {
			if dag.Stage(end) >= 0 {
				continue
			}
			ref, err := mesh.ParseFuncRef(namespace, end)
			if err != nil {
				return nil, mesh.AsError("stage "+end, err)
			}
			dag.Stages = append(dag.Stages, mesh.Stage{Name: end, Func: ref})
		}
		dag.Edges = append(dag.Edges, edge)
	}
	return dag, nil
}
