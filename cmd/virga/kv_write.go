package main

import (
	"context"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/codec"
)

// writeOptions say what a write must reach before it is answered.
type writeOptions struct {
	quorum     int
	durability string
}

func (o *writeOptions) addFlags(flags *pflag.FlagSet) {
	flags.IntVar(&o.quorum, "quorum", 0, "owners that must hold the write (default: the node's; less than that takes nodes that stand in for owners)")
	flags.StringVar(&o.durability, "durability", "", "of each owner's copy: memory, logged or synced (default: the node's)")
}

func (o writeOptions) stateOptions() (sdk.StateOptions, error) {
	if o.quorum < 0 {
		return sdk.StateOptions{}, usagef("--quorum %d: expected at least 0", o.quorum)
	}
	options := sdk.StateOptions{WriteQuorum: o.quorum}
	if o.durability == "" {
		return options, nil
	}
	var err error
	options.Durability, err = mesh.ParseDurability(o.durability)
	return options, err
}

// updateOptions are those of the commands that change a key.
type updateOptions struct {
	writeOptions
	key    string
	kind   string
	kinds  []string // those that the command is for
	asJSON bool
	ttl    string

	priority float64 // of a put, for the kind of that name
}

func (o *updateOptions) addFlags(flags *pflag.FlagSet, kind string, kinds ...string) {
	o.writeOptions.addFlags(flags)
	o.kinds = append([]string{kind}, kinds...)
	flags.StringVar(&o.ttl, "ttl", "", "how long the key is kept from now on, such as 90s or 12h (default: a register for ever, all else as before)")
	flags.StringVar(&o.kind, "kind", kind, "kind of the key: "+strings.Join(o.kinds, ", "))
}

// stateOptions adds to those of all writes how long the key is kept.
func (o updateOptions) stateOptions() (sdk.StateOptions, error) {
	options, err := o.writeOptions.stateOptions()
	if err == nil && o.ttl != "" {
		options.TTL, err = parseTTL(o.ttl)
	}
	return options, err
}

// latticeKind reads the kind, which must have the verb that the command is for.
func (o updateOptions) latticeKind(verb lattice.Verb) (lattice.Kind, error) {
	kind, err := lattice.ParseKind(o.kind)
	if err != nil || !slices.Contains(kind.Verbs(), verb) {
		return kind, usagef("--kind %q: expected one of %s", o.kind, strings.Join(o.kinds, ", "))
	}
	return kind, nil
}

// update sends an operation and tells what the write reached.
func (o updateOptions) update(ctx context.Context, a *app, op lattice.Op) error {
	kind, err := o.latticeKind(op.Verb())
	if err != nil {
		return err
	}
	options, err := o.stateOptions()
	if err != nil {
		return err
	}
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		ack, err := client.WithState(options).Put(ctx, o.key, kind, op)
		if err != nil {
			return err
		}
		return a.show(written{o.key, ack.Replicas, ack.Durability.String()})
	})
}

// written says what a write reached. As text it says nothing: it worked.
type written struct {
	Key        string `json:"key"`
	Replicas   int    `json:"replicas"`
	Durability string `json:"durability"`
}

func (written) text(io.Writer) {}

// payload encodes a text as the user means it: as it is, or as JSON.
func (o updateOptions) payload(text string) ([]byte, error) {
	v, err := codec.Encode(text)
	if o.asJSON {
		v, err = parseArg(text)
	}
	if err != nil {
		return nil, err
	}
	return v.AppendBinary(nil), nil
}

func kvPutCommand(a *app) *cobra.Command {
	var o updateOptions
	cmd := &cobra.Command{
		Use:   "put KEY VALUE",
		Short: "Write a register",
		Long: `Write a register: a text as it is, with --json a JSON value, and with - what stands
on stdin. Stdin that is not UTF-8 is kept as bytes.`,
		Example: `  virga kv put greeting hello
  virga kv put user/1 --json '{"name": "Ada"}'
  virga kv put photo - < photo.jpg`,
		Args: exactly("KEY", "VALUE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.key = args[0]
			return runKVPut(cmd.Context(), a, o, args[1])
		},
	}
	o.addFlags(cmd.Flags(), "lww", "mv-register", "causal", "priority")
	cmd.Flags().Float64Var(&o.priority, "priority", 0, "with --kind priority: the lowest wins")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "VALUE is JSON")
	return cmd
}

func runKVPut(ctx context.Context, a *app, o updateOptions, value string) error {
	payload, err := o.registerPayload(a, value)
	if err != nil {
		return err
	}
	if o.kind == lattice.PriorityKind.String() {
		return o.update(ctx, a, lattice.SetPriorityOp(o.priority, payload))
	}
	return o.update(ctx, a, lattice.SetOp(payload))
}

// registerPayload encodes what a register is to hold: a text, with - what
// stands on stdin, and bytes where that is no text.
func (o updateOptions) registerPayload(a *app, value string) ([]byte, error) {
	if value == "-" {
		text, err := io.ReadAll(a.stdin)
		if err != nil {
			return nil, mesh.Errorf(mesh.Invalid, "read stdin", "%w", err)
		}
		value = string(text)
	}
	payload, err := o.payload(value)
	if errIsNotText := err != nil && !o.asJSON; errIsNotText {
		return mesh.Value{Format: mesh.Raw, Data: []byte(value)}.AppendBinary(nil), nil
	}
	return payload, err
}

func kvAddCommand(a *app) *cobra.Command {
	var o updateOptions
	cmd := &cobra.Command{
		Use:     "add KEY ELEMENT...",
		Short:   "Put elements into a set",
		Example: "  virga kv add --kind set tags a b\n  virga kv add --kind or-set cart --json '{\"sku\": 7}'",
		Args:    atLeast("KEY", "ELEMENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.key = args[0]
			return runKVElements(cmd.Context(), a, o, lattice.AddOp, args[1:])
		},
	}
	o.addFlags(cmd.Flags(), "set", "ordered-set", "or-set")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "each ELEMENT is JSON")
	return cmd
}

func kvRemoveCommand(a *app) *cobra.Command {
	var o updateOptions
	cmd := &cobra.Command{
		Use:     "remove KEY ELEMENT...",
		Short:   "Take elements out of an or-set",
		Example: "  virga kv remove cart apple",
		Args:    atLeast("KEY", "ELEMENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.key = args[0]
			return runKVElements(cmd.Context(), a, o, lattice.RemoveOp, args[1:])
		},
	}
	o.addFlags(cmd.Flags(), "or-set")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "each ELEMENT is JSON")
	return cmd
}

func runKVElements(ctx context.Context, a *app, o updateOptions, op func(...string) lattice.Op, texts []string) error {
	elements := make([]string, 0, len(texts))
	for _, text := range texts {
		payload, err := o.payload(text)
		if err != nil {
			return err
		}
		elements = append(elements, string(payload))
	}
	return o.update(ctx, a, op(elements...))
}

func kvIncCommand(a *app) *cobra.Command {
	var o updateOptions
	cmd := &cobra.Command{
		Use:     "inc KEY [N]",
		Short:   "Add N, or 1, to a counter",
		Example: "  virga kv inc visits\n  virga kv inc balance -- -5",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := atLeast("KEY")(cmd, args); err != nil {
				return err
			}
			return atMost(2)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.key = args[0]
			return runKVInc(cmd.Context(), a, o, append(args[1:], "1")[0])
		},
	}
	o.addFlags(cmd.Flags(), "pncounter", "gcounter")
	return cmd
}

func runKVInc(ctx context.Context, a *app, o updateOptions, text string) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return usagef("%q: expected a whole number of 64 bits", text)
	}
	if n < 0 && o.kind == lattice.GCounterKind.String() {
		return usagef("%d: a gcounter only grows; a pncounter takes both signs", n)
	}
	return o.update(ctx, a, lattice.IncOp(n))
}
