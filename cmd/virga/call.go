package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
	"github.com/virga-mesh/virga/sdk/jsonform"
)

// runOptions are those of call and dag call.
type runOptions struct {
	future  bool
	dryRun  bool
	policy  string
	level   string
	runID   string
	expires time.Duration
	output  string
	then    string
	literal bool
}

// args gives what reads the arguments.
func (o runOptions) args(a *app) argReader { return argReader{a.stdin, a.namespace, o.literal} }

func (o *runOptions) addFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&o.future, "future", false, "print the run's id at once; virga run wait gets the result")
	flags.BoolVar(&o.dryRun, "dry-run", false, "print where it would run, and why, and run nothing")
	flags.StringVar(&o.policy, "policy", "", "placement: locality, random or round-robin")
	flags.StringVar(&o.level, "consistency", "", "of what the run reads: eventual (default), repeatable, causal-key, causal-cut, causal-session or transactional")
	flags.StringVar(&o.runID, "run-id", "", "id of the run; calling again with it gives the same run")
	flags.StringVar(&o.output, "output-key", "", "key under which the result is stored before it is told")
	flags.StringVar(&o.then, "then", "", "DAG, or function, that is run with the result; its run's id is told")
	flags.BoolVar(&o.literal, "literal", false, "arguments are JSON as it stands, and refer to nothing")
	flags.DurationVar(&o.expires, "run-timeout", 0, "longest time of a run with --future (default: the node's)")
}

func (o runOptions) callOptions() (sdk.CallOptions, error) {
	options := sdk.CallOptions{Policy: o.policy, Timeout: o.expires, Output: o.output, Then: o.then}
	var err error
	if options.Consistency, err = mesh.ParseConsistency(o.level); err != nil {
		return options, err
	}
	if o.future && o.dryRun {
		return options, usagef("--future and --dry-run: expected one of them")
	}
	if o.expires < 0 || o.expires > 0 && !o.future {
		return options, usagef("--run-timeout %v: expected a positive duration, with --future; --timeout bounds a call that is waited for", o.expires)
	}
	if o.runID == "" {
		return options, nil
	}
	id, err := mesh.ParseRunID(o.runID)
	options.RunID = id
	return options, err
}

type callOptions struct {
	runOptions
	name  string
	args  []string
	node  string
	stage string
	// staged says that there are such options, if empty ones.
	staged bool
}

func callCommand(a *app) *cobra.Command {
	var o callOptions
	cmd := &cobra.Command{
		Use:   "call FUNCTION [JSON]...",
		Short: "Call a function",
		Long: `Call a function with JSON values as arguments, and print its result. A version, or
an alias of one, may follow the function's name, as in square@prod.

With --stage it runs as a stage of a DAG would. Options, between blanks:
` + stageOptionHelp + `
` + argHelp,
		Example: `  virga call square 2
  virga call greet '"world"'
  virga call sum 1 2 3 --output json
  virga call square @side
  virga call total '{"items": [1, {"$ref": "side"}]}'
  virga call square --future 2
  virga call square -- -2
  virga call resize - < photo.json
  virga call square 2 --output-key four --then incr
  virga call fetch '"a url"' --stage 'retry=3 backoff=100ms timeout=1s'
  virga call square '[1, 2, 3]' --stage 'map=8 label=disk=ssd'`,
		Args: atLeast("FUNCTION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.name, o.args, o.staged = args[0], args[1:], cmd.Flags().Changed("stage")
			return runCall(cmd.Context(), a, o)
		},
	}
	o.addFlags(cmd.Flags())
	cmd.Flags().StringVar(&o.node, "node", "", "id of the node where it must run")
	cmd.Flags().StringVar(&o.stage, "stage", "", "how it runs, as 'OPTION...', such as 'retry=3 timeout=1s'")
	return cmd
}

func runCall(ctx context.Context, a *app, o callOptions) error {
	args, err := o.runOptions.args(a).readAll(o.args)
	if err != nil {
		return err
	}
	options, err := o.callOptions()
	if err != nil {
		return err
	}
	if options.Place, err = placeFunction(o.name, o.node); err != nil {
		return err
	}
	if o.staged {
		if options.Stage, err = parseStageOptions(o.stage); err != nil {
			return err
		}
	}
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		function := sdk.Func[fn.Variadic[any], mesh.Value](client, o.name)
		function.Options = options
		switch {
		case o.dryRun:
			plan, err := function.Plan(ctx, args)
			return a.showPlan(plan, err)
		case o.future:
			future, err := function.Start(ctx, args)
			if err != nil {
				return err
			}
			return a.show(started{future.ID().String()})
		}
		v, next, err := function.CallThen(ctx, args)
		if err != nil {
			return err
		}
		return a.showValue(v, next)
	})
}

// placeFunction says that a function called alone must run on a node.
func placeFunction(name, node string) (map[string]mesh.NodeID, error) {
	if node == "" {
		return nil, nil
	}
	id, err := mesh.ParseNodeID(node)
	if err != nil {
		return nil, err
	}
	ref, err := mesh.ParseFuncRef(mesh.DefaultNamespace, name)
	return map[string]mesh.NodeID{ref.Name: id}, err
}

// called is the result of a function.
type called struct {
	Result json.RawMessage `json:"result"`
	Next   string          `json:"next,omitempty"` // the run that continues with it
	plain  string
}

func (c called) text(w io.Writer) {
	fmt.Fprintln(w, c.plain)
	tellNext(w, c.Next)
}

// tellNext tells people which run continues with a result.
func tellNext(w io.Writer, id string) {
	if id != "" {
		fmt.Fprintf(w, "continued by run %s\n", id)
	}
}

func idOf(run *sdk.Run) string {
	if run == nil {
		return ""
	}
	return run.ID().String()
}

func (a *app) showValue(v mesh.Value, next *sdk.Run) error {
	asJSON, err := jsonform.Value(v)
	if err != nil {
		return err
	}
	plain, err := jsonform.Text(v)
	if err != nil {
		return err
	}
	return a.show(called{asJSON, idOf(next), plain})
}

// started is a run that goes on.
type started struct {
	Run string `json:"run"`
}

func (s started) text(w io.Writer) { fmt.Fprintln(w, s.Run) }
