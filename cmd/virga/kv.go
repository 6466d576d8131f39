package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/sdk"
)

func kvCommand(a *app) *cobra.Command {
	return group("kv", "Read and change state",
		"  virga kv put greeting hello\n  virga kv get greeting\n  virga kv add --kind set tags a",
		kvGetCommand(a), kvPutCommand(a), kvAddCommand(a), kvRemoveCommand(a), kvIncCommand(a),
		kvDeleteCommand(a), kvListCommand(a))
}

func kvGetCommand(a *app) *cobra.Command {
	var quorum int
	cmd := &cobra.Command{
		Use:   "get KEY",
		Short: "Read a key of any kind",
		Long: `Read a key of any kind. As text, a register prints its value, a set its elements
one a line, a counter its sum, a map its fields as an object. Bytes are written as they are, and end no line.`,
		Example: "  virga kv get greeting\n  virga kv get tags --output json",
		Args:    exactly("KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runKVGet(cmd.Context(), a, args[0], quorum)
		},
	}
	cmd.Flags().IntVar(&quorum, "quorum", 0, "owners whose answers are merged (default: the first answer)")
	return cmd
}

func runKVGet(ctx context.Context, a *app, key string, quorum int) error {
	if quorum < 0 {
		return usagef("--quorum %d: expected at least 0", quorum)
	}
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		v, err := client.WithState(sdk.StateOptions{ReadQuorum: quorum}).Get(ctx, key)
		if err != nil {
			return err
		}
		state, err := describeState(v)
		if err != nil {
			return err
		}
		state.Key = key
		return a.show(state)
	})
}

func kvDeleteCommand(a *app) *cobra.Command {
	var w writeOptions
	cmd := &cobra.Command{
		Use:     "delete KEY",
		Short:   "Delete a key",
		Example: "  virga kv delete greeting",
		Args:    exactly("KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runKVDelete(cmd.Context(), a, args[0], w)
		},
	}
	w.addFlags(cmd.Flags())
	return cmd
}

func runKVDelete(ctx context.Context, a *app, key string, w writeOptions) error {
	options, err := w.stateOptions()
	if err != nil {
		return err
	}
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		if err := client.WithState(options).Delete(ctx, key); err != nil {
			return err
		}
		return a.show(done{"deleted " + key})
	})
}

func kvListCommand(a *app) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:     "list [PREFIX]",
		Short:   "List keys",
		Example: "  virga kv list\n  virga kv list user/ --limit 10 --output json",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runKVList(cmd.Context(), a, strings.Join(args, ""), limit)
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 1000, "most keys to list; 0 for all")
	return cmd
}

func runKVList(ctx context.Context, a *app, prefix string, limit int) error {
	if limit < 0 {
		return usagef("--limit %d: expected at least 0", limit)
	}
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		list := keyList{Keys: []listedKey{}}
		for key, err := range client.List(ctx, prefix) {
			if err != nil {
				return err
			}
			if limit > 0 && len(list.Keys) == limit {
				list.More = true
				break
			}
			list.Keys = append(list.Keys, listedKey{key.Name, key.Kind.String(), key.Size})
		}
		return a.show(list)
	})
}

type keyList struct {
	Keys []listedKey `json:"keys"`
	More bool        `json:"more"` // there are more than were asked for
}

type listedKey struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	Size int64  `json:"size"`
}

func (l keyList) text(w io.Writer) {
	var rows [][]string
	for _, key := range l.Keys {
		rows = append(rows, []string{key.Name, key.Kind, fmt.Sprint(key.Size)})
	}
	writeTable(w, []string{"KEY", "KIND", "SIZE"}, rows)
	if l.More {
		fmt.Fprintln(w, "... and more; see --limit")
	}
}
