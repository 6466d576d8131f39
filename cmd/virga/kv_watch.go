package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/sdk"
)

type watchOptions struct {
	prefix string
	key    bool // the prefix is a whole name
	from   string
}

func kvWatchCommand(a *app) *cobra.Command {
	var o watchOptions
	cmd := &cobra.Command{
		Use:   "watch [PREFIX]",
		Short: "Show changes of keys until interrupted",
		Long: `Show changes of the keys whose names begin with PREFIX, one a line, until interrupted,
or for as long as --timeout says. An event tells a key's state after changes: put with the
value, delete, or expire. Lagged says that changes may have been missed: list the keys anew.

With --output json each event has a token, from which --from goes on, through any node;
mark is an event that only has a token. As text the last token is shown at the end.`,
		Example: "  virga kv watch\n  virga kv watch user/ --output json\n  virga kv watch --key greeting",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.prefix = strings.Join(args, "")
			ctx := cmd.Context()
			if cmd.Flags().Changed("timeout") {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, a.timeout)
				defer cancel()
			}
			return runKVWatch(ctx, a, o)
		},
	}
	cmd.Flags().BoolVar(&o.key, "key", false, "watch the one key of that name")
	cmd.Flags().StringVar(&o.from, "from", "", "go on after this token of an earlier watch")
	return cmd
}

// runKVWatch shows events until ctx ends, which is how the user ends it.
func runKVWatch(ctx context.Context, a *app, o watchOptions) error {
	client, release, err := a.borrowClient(ctx)
	if err != nil {
		return err
	}
	defer release()
	watch := client.Watch
	if o.key {
		watch = client.WatchKey
	}
	token := sdk.Token(o.from)
	defer func() {
		if token != "" && a.output == outputText {
			fmt.Fprintln(a.stderr, "virga: go on with --from", token)
		}
	}()
	for e, err := range watch(ctx, o.prefix, token) {
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		if err := a.showEvent(e); err != nil {
			return err
		}
		token = e.Token
	}
	return nil
}

// eventJSON is an event on a line of JSON.
type eventJSON struct {
	Event   string          `json:"event"`
	Key     string          `json:"key,omitempty"`
	Kind    string          `json:"kind,omitempty"`
	Value   json.RawMessage `json:"value,omitempty"`
	Omitted bool            `json:"omitted,omitempty"` // the value is too large to be told
	Token   sdk.Token       `json:"token"`
}

func (a *app) showEvent(e sdk.Event) error {
	shown := eventJSON{Event: e.Kind.String(), Key: e.Key, Omitted: e.Omitted, Token: e.Token}
	if e.Kind == sdk.PutEvent && !e.Omitted {
		described, err := describeState(e.Value)
		if err != nil {
			return err
		}
		shown.Kind, shown.Value = described.Kind, described.Value
	}
	if a.output == outputJSON {
		encoder := json.NewEncoder(a.stdout)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(shown)
	}
	switch {
	case e.Kind == sdk.MarkEvent:
		return nil
	case e.Omitted:
		shown.Value = json.RawMessage("(too large to be told)")
	}
	_, err := fmt.Fprintln(a.stdout, strings.TrimRight(fmt.Sprintf("%s %s %s", shown.Event, shown.Key, shown.Value), " "))
	return err
}
