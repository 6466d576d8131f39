package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/jsonform"
)

func triggerCommand(a *app) *cobra.Command {
	return group("trigger", "Run functions and DAGs when keys change, on a schedule, or after a delay",
		"  virga trigger create index --on-prefix page/ --run index\n  virga trigger create report --cron \"0 9 * * mon\" --zone Europe/Berlin --dag report\n  virga trigger list",
		triggerCreateCommand(a), triggerListCommand(a), triggerShowCommand(a), triggerDeleteCommand(a))
}

// triggerDescription is a trigger as commands print it.
type triggerDescription struct {
	Name      string            `json:"name"`
	ID        string            `json:"id"`
	Cause     string            `json:"cause"` // key, prefix, cron or time
	On        string            `json:"on"`    // which key or prefix, schedule or moment
	Zone      string            `json:"zone,omitempty"`
	Function  string            `json:"function,omitempty"`
	DAG       string            `json:"dag,omitempty"`
	Args      []json.RawMessage `json:"args"`
	Created   time.Time         `json:"created"`
	LastFired *time.Time        `json:"last_fired"`
	NextDue   *time.Time        `json:"next_due"`
	Fired     uint64            `json:"fired"`
	Failed    uint64            `json:"failed"`
	Waiting   int               `json:"waiting"`
	Keeper    string            `json:"keeper,omitempty"`
	LastError string            `json:"last_error,omitempty"`
	AtOnce    int               `json:"at_once"`
	Rate      int               `json:"rate"`
	Attempts  int               `json:"attempts"`
}

func describeTrigger(s mesh.TriggerStatus) (triggerDescription, error) {
	d := triggerDescription{
		Name: s.Name, ID: s.ID.String(), Cause: s.Cause.Kind.String(), On: s.Cause.Key, DAG: s.DAG, Args: []json.RawMessage{},
		Created: s.Created, LastFired: momentOrNull(s.LastFired), NextDue: momentOrNull(s.NextDue),
		Fired: s.Fired, Failed: s.Failed, Waiting: s.Waiting, LastError: s.LastError,
		AtOnce: s.AtOnce, Rate: s.Rate, Attempts: s.Attempts,
	}
	switch s.Cause.Kind {
	case mesh.OnCron:
		d.On, d.Zone = s.Cause.Cron, s.Cause.Zone
	case mesh.OnTime:
		d.On = s.Cause.At.Format(time.RFC3339)
	}
	if s.DAG == "" {
		d.Function = s.Func.String()
	}
	if s.Keeper != "" {
		d.Keeper = s.Keeper.String()
	}
	for _, arg := range s.Args {
		text, err := jsonform.Value(arg)
		if err != nil {
			return d, err
		}
		d.Args = append(d.Args, text)
	}
	return d, nil
}

func momentOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func momentText(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// runs is what the trigger runs, for people.
func (d triggerDescription) runs() string {
	if d.DAG != "" {
		return "dag " + d.DAG
	}
	return d.Function
}

// on is what fires the trigger, for people.
func (d triggerDescription) on() string {
	text := d.Cause + " " + d.On
	if d.Zone != "" {
		text += " " + d.Zone
	}
	return strings.TrimSpace(text)
}

func (d triggerDescription) text(w io.Writer) {
	fmt.Fprintf(w, "trigger %s runs %s on %s\n", d.Name, d.runs(), d.on())
	for _, arg := range d.Args {
		fmt.Fprintf(w, "  argument %s\n", arg)
	}
	fmt.Fprintf(w, "  last fired %s, next due %s\n", momentText(d.LastFired), momentText(d.NextDue))
	fmt.Fprintf(w, "  fired %d, failed %d, waiting %d\n", d.Fired, d.Failed, d.Waiting)
	fmt.Fprintf(w, "  at most %d runs at once, %d a second, %d attempts\n", d.AtOnce, d.Rate, d.Attempts)
	if d.Keeper != "" {
		fmt.Fprintf(w, "  kept by %s\n", d.Keeper)
	}
	if d.LastError != "" {
		fmt.Fprintf(w, "  last error %s\n", d.LastError)
	}
}

func triggerListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "list [PREFIX]",
		Short:   "List triggers: what fires them, when they fired, and when they are due",
		Example: "  virga trigger list\n  virga trigger list index --output json",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runTriggerList(cmd.Context(), a, strings.Join(args, ""))
		},
	}
}

func runTriggerList(ctx context.Context, a *app, prefix string) error {
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		list := triggerList{Triggers: []triggerDescription{}}
		for status, err := range client.Triggers(ctx, prefix) {
			if err != nil {
				return err
			}
			described, err := describeTrigger(status)
			if err != nil {
				return err
			}
			list.Triggers = append(list.Triggers, described)
		}
		return a.show(list)
	})
}

type triggerList struct {
	Triggers []triggerDescription `json:"triggers"`
}

func (l triggerList) text(w io.Writer) {
	var rows [][]string
	for _, d := range l.Triggers {
		keeper := d.Keeper
		if keeper == "" {
			keeper = "-"
		}
		rows = append(rows, []string{
			d.Name, d.on(), d.runs(), momentText(d.LastFired), momentText(d.NextDue),
			fmt.Sprint(d.Fired), fmt.Sprint(d.Failed), fmt.Sprint(d.Waiting), keeper,
		})
	}
	writeTable(w, []string{"NAME", "ON", "RUNS", "LAST FIRED", "NEXT DUE", "FIRED", "FAILED", "WAITING", "KEEPER"}, rows)
}

func triggerShowCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Show a trigger, and how it stands",
		Example: "  virga trigger show index",
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runTriggerShow(cmd.Context(), a, args[0])
		},
	}
}

func runTriggerShow(ctx context.Context, a *app, name string) error {
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		return a.showTrigger(client.GetTrigger(ctx, name))
	})
}

func (a *app) showTrigger(status mesh.TriggerStatus, err error) error {
	if err != nil {
		return err
	}
	described, err := describeTrigger(status)
	if err != nil {
		return err
	}
	return a.show(described)
}

func triggerDeleteCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "delete NAME",
		Short:   "Delete a trigger; runs under way go on",
		Example: "  virga trigger delete index",
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runTriggerDelete(cmd.Context(), a, args[0])
		},
	}
}

func runTriggerDelete(ctx context.Context, a *app, name string) error {
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		if err := client.DeleteTrigger(ctx, name); err != nil {
			return err
		}
		return a.show(done{"deleted trigger " + name})
	})
}
