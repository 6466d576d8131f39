package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

func kvCommand(a *app) *cobra.Command {
	var o scriptOptions
	cmd := group("kv", "Read and change state",
		"  virga kv put greeting hello\n  virga kv get greeting\n  virga kv add --kind set tags a\n  virga kv --file commands.txt",
		kvGetCommand(a), kvPutCommand(a), kvAddCommand(a), kvRemoveCommand(a), kvIncCommand(a),
		kvDeleteCommand(a), kvListCommand(a),
		kvWatchCommand(a), kvPutFieldCommand(a), kvDropFieldCommand(a), kvMaxCommand(a), kvMinCommand(a),
		kvEnableCommand(a), kvDisableCommand(a),
		kvMGetCommand(a), kvMPutCommand(a), kvTouchCommand(a), kvPersistCommand(a), kvTTLCommand(a), kvCASCommand(a))
	cmd.Long = `Read and change state. Without a command, at a terminal, commands are asked for one after
another over one connection; with --file they are those of a file, one a line: as here, with
quotes as in a shell, and # before a comment. GET, PUT, GET_SET, PUT_SET, GET_CAUSAL and
PUT_CAUSAL are understood, too.`
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return runKV(cmd, a, o, args) }
	a.kept.addFlags(cmd.PersistentFlags())
	cmd.Flags().StringVarP(&o.file, "file", "f", "", "run the commands of this file, or with - of stdin, up to the first that fails")
	cmd.Flags().BoolVar(&o.keepGoing, "keep-going", false, "with --file: show what fails, and go on")
	return cmd
}

func kvGetCommand(a *app) *cobra.Command {
	var o getOptions
	cmd := &cobra.Command{
		Use:   "get KEY",
		Short: "Read a key of any kind",
		Long: `Read a key of any kind. As text, a register prints its value, a set its elements
one a line, a counter its sum, a map its fields as an object. Bytes are written as they are, and end no line.
With --range only a part of a large text or of bytes is read, and sent.`,
		Example: "  virga kv get greeting\n  virga kv get tags --output json\n  virga kv get photo --range 0:100",
		Args:    exactly("KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.key = args[0]
			return runKVGet(cmd.Context(), a, o)
		},
	}
	cmd.Flags().IntVar(&o.quorum, "quorum", 0, "owners whose answers are merged (default: the first answer)")
	cmd.Flags().StringVar(&o.kind, "kind", "", "kind that the key must be of (default: any)")
	cmd.Flags().StringVar(&o.part, "range", "", "only LENGTH bytes from FROM on, as FROM:LENGTH, or all from there on, as FROM:")
	cmd.Flags().BoolVar(&o.versioned, "versioned", false, "of a register: print the version for cas first, on a line of its own")
	return cmd
}

type getOptions struct {
	key       string
	quorum    int
	kind      string
	part      string // as FROM:LENGTH; empty: the whole
	versioned bool
}

func runKVGet(ctx context.Context, a *app, o getOptions) error {
	if o.quorum < 0 {
		return usagef("--quorum %d: expected at least 0", o.quorum)
	}
	if _, err := lattice.ParseKind(o.kind); o.kind != "" && err != nil {
		return usagef("--kind %q: %v", o.kind, err)
	}
	if o.part != "" {
		return runKVRange(ctx, a, o.key, o.part, o.quorum)
	}
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		v, version, err := readState(ctx, client.WithState(sdk.StateOptions{ReadQuorum: o.quorum}), o.key, o.versioned)
		if err != nil {
			return err
		}
		if o.kind != "" && v.Kind().String() != o.kind {
			return mesh.Errorf(mesh.KindMismatch, "get "+o.key, "the key holds %s: expected %s", v.Kind(), o.kind)
		}
		state, err := describeState(v)
		if err != nil {
			return err
		}
		state.Key, state.Version = o.key, version
		return a.show(state)
	})
}

func readState(ctx context.Context, client *sdk.Client, key string, withVersion bool) (lattice.Value, sdk.Version, error) {
	if withVersion {
		return client.GetVersioned(ctx, key)
	}
	v, err := client.Get(ctx, key)
	return v, "", err
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
	var values bool
	cmd := &cobra.Command{
		Use:     "list [PREFIX]",
		Short:   "List keys, with their values if asked",
		Example: "  virga kv list\n  virga kv list user/ --limit 10 --output json\n  virga kv list user/ --values",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 0 {
				return usagef("--limit %d: expected at least 0", limit)
			}
			list := runKVList
			if values {
				list = runKVScan
			}
			return list(cmd.Context(), a, strings.Join(args, ""), limit)
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 1000, "most keys to list; 0 for all")
	cmd.Flags().BoolVar(&values, "values", false, "show the values, too")
	return cmd
}

func runKVList(ctx context.Context, a *app, prefix string, limit int) error {
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
