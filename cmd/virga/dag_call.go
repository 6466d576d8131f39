package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/jsonform"
)

type dagCallOptions struct {
	runOptions
	name  string
	args  []string
	place []string
}

func dagCallCommand(a *app) *cobra.Command {
	var o dagCallOptions
	cmd := &cobra.Command{
		Use:   "call NAME [STAGE=JSON]...",
		Short: "Run a DAG",
		Long: `Run a DAG and print the result of its sink; those of several sinks as an object
by stage. A stage that takes several arguments is repeated, in their order.

` + argHelp,
		Example: `  virga dag call pipeline incr=1
  virga dag call totals sum=1 sum=@start
  virga dag call pipeline incr=1 --dry-run
  virga dag call pipeline incr=1 --output-key latest --then report`,
		Args: atLeast("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.name, o.args = args[0], args[1:]
			return runDAGCall(cmd.Context(), a, o)
		},
	}
	o.addFlags(cmd.Flags())
	cmd.Flags().StringArrayVar(&o.place, "place", nil, "where a stage must run, as STAGE=NODE")
	return cmd
}

func runDAGCall(ctx context.Context, a *app, o dagCallOptions) error {
	args, err := stageArgs(o.runOptions.args(a), o.args)
	if err != nil {
		return err
	}
	options, err := o.callOptions()
	if err != nil {
		return err
	}
	if options.Place, err = placeStages(o.place); err != nil {
		return err
	}
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		dag := client.DAG(o.name)
		dag.Options = options
		switch {
		case o.dryRun:
			plan, err := dag.Plan(ctx, args)
			return a.showPlan(plan, err)
		case o.future:
			run, err := dag.Start(ctx, args)
			if err != nil {
				return err
			}
			return a.show(started{run.ID().String()})
		}
		results, next, err := dag.CallThen(ctx, args)
		if err != nil {
			return err
		}
		return a.showResults(results, next)
	})
}

func stageArgs(reader argReader, texts []string) (sdk.Args, error) {
	args := sdk.Args{}
	for _, text := range texts {
		stage, value, ok := strings.Cut(text, "=")
		if !ok || stage == "" {
			return nil, usagef("argument %q: expected STAGE=JSON", text)
		}
		v, err := reader.read(value)
		if err != nil {
			return nil, err
		}
		args[stage] = append(args[stage], v)
	}
	return args, nil
}

func placeStages(texts []string) (map[string]mesh.NodeID, error) {
	place := map[string]mesh.NodeID{}
	for _, text := range texts {
		stage, node, ok := strings.Cut(text, "=")
		if !ok || stage == "" {
			return nil, usagef("--place %q: expected STAGE=NODE", text)
		}
		id, err := mesh.ParseNodeID(node)
		if err != nil {
			return nil, err
		}
		place[stage] = id
	}
	return place, nil
}

// showResults prints the value of a sole sink alone, and those of several as an object by stage.
func (a *app) showResults(results sdk.Results, next *sdk.Run) error {
	if len(results) == 1 {
		return a.showValue(results[0].Value, next)
	}
	bySink := sinkResults{Results: map[string]json.RawMessage{}, Next: idOf(next)}
	for _, r := range results {
		text, err := jsonform.Value(r.Value)
		if err != nil {
			return err
		}
		bySink.Results[r.Stage] = text
	}
	return a.show(bySink)
}

type sinkResults struct {
	Results map[string]json.RawMessage `json:"results"`
	Next    string                     `json:"next,omitempty"`
}

func (s sinkResults) text(w io.Writer) {
	object, err := json.Marshal(s.Results)
	if err != nil {
		panic(fmt.Sprintf("values that were JSON are none: %v", err))
	}
	fmt.Fprintf(w, "%s\n", object)
	tellNext(w, s.Next)
}
