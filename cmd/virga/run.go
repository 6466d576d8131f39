package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/jsonform"
)

func runCommand(a *app) *cobra.Command {
	return group("run", "Follow runs: wait, status, cancel, explain",
		"  id=$(virga call square --future 2)\n  virga run wait $id",
		runWaitCommand(a), runStatusCommand(a), runCancelCommand(a), runExplainCommand(a))
}

// onRun makes a command that does one thing with the run that its argument names.
func onRun(a *app, use, short, example string, do func(context.Context, *sdk.Run) error) *cobra.Command {
	return &cobra.Command{
		Use: use + " RUN", Short: short, Example: example, Args: exactly("RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := mesh.ParseRunID(args[0])
			if err != nil {
				return err
			}
			return a.withClient(cmd.Context(), func(ctx context.Context, client *sdk.Client) error {
				return do(ctx, client.Run(id))
			})
		},
	}
}

func runWaitCommand(a *app) *cobra.Command {
	return onRun(a, "wait", "Wait for a run and print its result", "  virga run wait 0123456789abcdef0123456789abcdef",
		func(ctx context.Context, run *sdk.Run) error {
			results, err := run.Wait(ctx)
			if err != nil {
				return err
			}
			return a.showResults(results, nil)
		})
}

func runStatusCommand(a *app) *cobra.Command {
	return onRun(a, "status", "Tell how a run stands", "  virga run status 0123456789abcdef0123456789abcdef",
		func(ctx context.Context, run *sdk.Run) error {
			status, err := run.Status(ctx)
			if err != nil {
				return err
			}
			return a.show(describeRun(run.ID(), status))
		})
}

type runState struct {
	Run   string          `json:"run"`
	State string          `json:"state"`
	Error *jsonform.Error `json:"error,omitempty"`
	Next  string          `json:"next,omitempty"` // the run that continues with its result
}

// describeRun tells as the error of a run that succeeded why its result is
// not where the call wanted it.
func describeRun(id mesh.RunID, status sdk.RunStatus) runState {
	err := status.Err
	if err == nil {
		err = status.Undelivered
	}
	s := runState{Run: id.String(), State: status.State.String(), Error: jsonform.ErrorOf(err)}
	if status.Next != (mesh.RunID{}) {
		s.Next = status.Next.String()
	}
	return s
}

func (s runState) text(w io.Writer) {
	fmt.Fprintln(w, s.State)
	if s.Error != nil {
		fmt.Fprintf(w, "%s: %s\n", s.Error.Kind, s.Error.Message)
	}
	tellNext(w, s.Next)
}

func runCancelCommand(a *app) *cobra.Command {
	return onRun(a, "cancel", "Cancel a run", "  virga run cancel 0123456789abcdef0123456789abcdef",
		func(ctx context.Context, run *sdk.Run) error {
			if err := run.Cancel(ctx); err != nil {
				return err
			}
			status, err := run.Status(ctx)
			switch {
			case err != nil:
				return err
			case errors.Is(status.Err, mesh.Cancelled):
				return a.show(done{"cancelled run " + run.ID().String()})
			}
			return a.show(done{fmt.Sprintf("run %s had %s already", run.ID(), status.State)})
		})
}

func runExplainCommand(a *app) *cobra.Command {
	return onRun(a, "explain", "Tell where each stage of a run ran, why there, and what it waited for, took and read", "  virga run explain 0123456789abcdef0123456789abcdef",
		func(ctx context.Context, run *sdk.Run) error {
			status, err := run.Status(ctx)
			if err != nil {
				return err
			}
			return a.show(explanation{
				Run: run.ID().String(), State: status.State.String(), Attempt: status.Attempt, Anew: status.Anew,
				Coordinator: status.Coordinator.String(), Stages: describeStages(status.Stages),
			})
		})
}

// explanation is what is known of a run.
type explanation struct {
	Run         string             `json:"run"`
	State       string             `json:"state"`
	Attempt     int                `json:"attempt"`
	Anew        int                `json:"anew,omitempty"`
	Coordinator string             `json:"coordinator"`
	Stages      []stageExplanation `json:"stages"`
}

type stageExplanation struct {
	Stage    string  `json:"stage"`
	Function string  `json:"function"`
	Node     string  `json:"node"`
	Why      string  `json:"why"`
	Attempt  int     `json:"attempt,omitempty"`
	Queued   float64 `json:"queued_us,omitempty"`
	Micros   float64 `json:"took_us,omitempty"`
	Bytes    int64   `json:"result_bytes,omitempty"`
	Moved    int64   `json:"moved_bytes,omitempty"`
	Hits     int     `json:"cache_hits,omitempty"`
	Misses   int     `json:"cache_misses,omitempty"`
	Runs     int     `json:"executions,omitempty"`
	Skipped  bool    `json:"skipped,omitempty"`
	Started  string  `json:"started,omitempty"`

	queued, took time.Duration
	node         mesh.NodeID
}

func describeStages(stages []sdk.StageStatus) []stageExplanation {
	described := make([]stageExplanation, 0, len(stages))
	for _, s := range stages {
		e := stageExplanation{
			Stage: s.Name, Function: shortFunc(s.Func), Node: s.Node.String(), Why: s.Why,
			Micros: float64(s.Took) / float64(time.Microsecond), Queued: float64(s.Queued) / float64(time.Microsecond),
			Bytes: s.ResultBytes, Moved: s.MovedBytes, Hits: s.CacheHits, Misses: s.CacheMisses, Runs: s.Executions,
			Attempt: s.Attempt, Skipped: s.Skipped, queued: s.Queued, took: s.Took, node: s.Node,
		}
		if !s.Started.IsZero() {
			e.Started = s.Started.UTC().Format(time.RFC3339Nano)
		}
		described = append(described, e)
	}
	return described
}

// shortFunc abbreviates the version, which is a hash.
func shortFunc(ref mesh.FuncRef) string {
	ref.Version = shortVersion(ref.Version)
	return ref.String()
}

func shortVersion(version string) string {
	const shown = 12
	return version[:min(len(version), shown)]
}

func (e explanation) text(w io.Writer) {
	fmt.Fprintf(w, "run %s %s, attempt %d, %scoordinated by %s\n", e.Run, e.State, e.Attempt, e.anew(), e.Coordinator)
	var rows [][]string
	for _, s := range e.Stages {
		rows = append(rows, append([]string{s.Stage, s.Function, s.node.Short(), strconv.Itoa(max(s.Attempt, 1))}, append(s.did(), s.Why)...))
	}
	writeTable(w, []string{"STAGE", "FUNCTION", "NODE", "ATTEMPT", "QUEUED", "TOOK", "RUNS", "MOVED", "CACHED", "WHY"}, rows)
}

// anew tells of a run that began anew.
func (e explanation) anew() string {
	if e.Anew == 0 {
		return ""
	}
	return fmt.Sprintf("begun anew %d times, ", e.Anew)
}

// did tells what the stage did: how long it waited and ran, how often the
// function ran, the bytes that came from other nodes, and how many of its
// references were on the node.
func (s *stageExplanation) did() []string {
	switch {
	case s.Started == "":
		return make([]string, 5)
	case s.Skipped:
		return []string{"", "skipped", "", "", ""}
	}
	cached := ""
	if asked := s.Hits + s.Misses; asked > 0 {
		cached = fmt.Sprintf("%d of %d", s.Hits, asked)
	}
	return []string{s.queued.String(), s.took.String(), strconv.Itoa(max(s.Runs, 1)), strconv.FormatInt(s.Moved, 10), cached}
}

// plan is where a run would run.
type plan struct {
	Stages []stageExplanation `json:"stages"`
}

func (p plan) text(w io.Writer) {
	var rows [][]string
	for _, s := range p.Stages {
		rows = append(rows, []string{s.Stage, s.Function, s.node.Short(), s.Why})
	}
	writeTable(w, []string{"STAGE", "FUNCTION", "NODE", "WHY"}, rows)
}

func (a *app) showPlan(stages []sdk.StageStatus, err error) error {
	if err != nil {
		return err
	}
	return a.show(plan{describeStages(stages)})
}
