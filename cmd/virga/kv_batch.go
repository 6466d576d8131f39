package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

func kvMGetCommand(a *app) *cobra.Command {
	var quorum int
	cmd := &cobra.Command{
		Use:   "mget KEY...",
		Short: "Read several keys at once",
		Long: `Read several keys of any kind at once. Each is answered by itself: what could not be
read stands in its row. That a key is missing is no failure of the command.`,
		Example: "  virga kv mget user/1 user/2 --output json",
		Args:    atLeast("KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runKVMGet(cmd.Context(), a, args, quorum)
		},
	}
	cmd.Flags().IntVar(&quorum, "quorum", 0, "owners whose answers are merged (default: the node's)")
	return cmd
}

func runKVMGet(ctx context.Context, a *app, keys []string, quorum int) error {
	if quorum < 0 {
		return usagef("--quorum %d: expected at least 0", quorum)
	}
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		all, err := client.WithState(sdk.StateOptions{ReadQuorum: quorum}).GetAll(ctx, keys...)
		if err != nil {
			return err
		}
		var list batchRead
		var failure error
		for _, got := range all {
			row, err := describeGot(got)
			failure = cmp.Or(failure, err)
			list.Keys = append(list.Keys, row)
		}
		return cmp.Or(a.show(list), failure)
	})
}

// describeGot gives the row of a key, and an error unless that was read or is missing.
func describeGot(got sdk.Got) (readKey, error) {
	row := readKey{Key: got.Name}
	err := got.Err
	if err == nil {
		var described stateDescription
		if described, err = describeState(got.Value); err == nil {
			row.Kind, row.Value = described.Kind, described.Value
			return row, nil
		}
	}
	row.Error = mesh.KindOf(err).String()
	if errors.Is(err, mesh.NotFound) {
		return row, nil
	}
	return row, err
}

type batchRead struct {
	Keys []readKey `json:"keys"`
}

type readKey struct {
	Key   string          `json:"key"`
	Kind  string          `json:"kind,omitempty"`
	Value json.RawMessage `json:"value,omitempty"`
	Error string          `json:"error,omitempty"` // its kind
}

func (b batchRead) text(w io.Writer) {
	var rows [][]string
	for _, k := range b.Keys {
		value := string(k.Value)
		if k.Error != "" {
			value = k.Error
		}
		rows = append(rows, []string{k.Key, k.Kind, value})
	}
	writeTable(w, []string{"KEY", "KIND", "VALUE"}, rows)
}

func kvMPutCommand(a *app) *cobra.Command {
	var o updateOptions
	cmd := &cobra.Command{
		Use:   "mput KEY VALUE [KEY VALUE]...",
		Short: "Write several registers at once",
		Long: `Write several registers at once: texts as they are, or with --json JSON values. It is no
transaction: each write succeeds or fails by itself. What failed is printed, and the exit code is that of the first
failure.`,
		Example: "  virga kv mput user/1 Ada user/2 Grace",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 || len(args)%2 != 0 {
				return usagef("%s: expected pairs of KEY and VALUE", counted(int64(len(args)), "argument"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return runKVMPut(cmd.Context(), a, o, args)
		},
	}
	o.addFlags(cmd.Flags(), "lww", "mv-register", "causal")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "each VALUE is JSON")
	return cmd
}

func runKVMPut(ctx context.Context, a *app, o updateOptions, pairs []string) error {
	kind, err := o.latticeKind(lattice.VerbSet)
	if err != nil {
		return err
	}
	options, err := o.stateOptions()
	if err != nil {
		return err
	}
	var puts []sdk.Putting
	for i := 0; i < len(pairs); i += 2 {
		payload, err := o.registerPayload(a, pairs[i+1])
		if err != nil {
			return err
		}
		puts = append(puts, sdk.Putting{Name: pairs[i], Kind: kind, Op: lattice.SetOp(payload)})
	}
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		all, err := client.WithState(options).PutAll(ctx, puts...)
		if err != nil {
			return err
		}
		var list batchWritten
		var failure error
		for _, result := range all {
			list.Keys = append(list.Keys, describeResult(result))
			failure = cmp.Or(failure, result.Err)
		}
		return cmp.Or(a.show(list), failure)
	})
}

func describeResult(result sdk.PutResult) writtenKey {
	if result.Err != nil {
		return writtenKey{Key: result.Name, Error: mesh.KindOf(result.Err).String()}
	}
	return writtenKey{Key: result.Name, Replicas: result.Ack.Replicas, Durability: result.Ack.Durability.String()}
}

type batchWritten struct {
	Keys []writtenKey `json:"keys"`
}

type writtenKey struct {
	Key        string `json:"key"`
	Replicas   int    `json:"replicas"`
	Durability string `json:"durability,omitempty"`
	Error      string `json:"error,omitempty"` // its kind
}

// text says nothing of what worked.
func (b batchWritten) text(w io.Writer) {
	for _, k := range b.Keys {
		if k.Error != "" {
			fmt.Fprintf(w, "%s: %s\n", k.Key, k.Error)
		}
	}
}
