package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/internal/jsonl"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

type exportOptions struct {
	namespace string // empty: all that may be read
	prefix    string
	file      string // - is stdout
}

func exportCommand(a *app) *cobra.Command {
	var o exportOptions
	cmd := &cobra.Command{
		Use:   "export [FILE]",
		Short: "Write state as JSON lines, for people and other tools",
		Long: `Write state as JSON lines, one or more for each key, to a file that must not exist yet, or
to stdout: of all namespaces that the credential may read, but not the mesh's own (functions
and DAGs), or of one. The mesh goes on working meanwhile: each key is as it was at some moment,
with all that was acknowledged before the export began. Large sets and maps are several lines.

  {"namespace":"default","key":"greeting","kind":"lww","value":"hello"}

The value is a string for text, JSON for what was written as JSON or by a Go program, and an
object such as {"raw": "base64"} for all else; docs/storage.md has all forms. A time after
which the key expires stands in "expires". What a text cannot carry is left out: when and by
whom something was written, what a write had seen (causal contexts, dots, dependencies), and
which keys were deleted. virga backup saves that, too. virga import reads the lines.`,
		Example: `  virga export state.jsonl
  virga export --namespace shop --prefix user/ | jq .value`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("timeout") {
				a.timeout = archiveTimeout
			}
			if cmd.Flags().Changed("namespace") {
				o.namespace = a.namespace
			}
			o.file = append(args, "-")[0]
			return runExport(cmd.Context(), a, o)
		},
	}
	cmd.Flags().StringVar(&o.prefix, "prefix", "", "only keys whose names begin with this")
	return cmd
}

func runExport(ctx context.Context, a *app, o exportOptions) error {
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		out, finish, abandon, err := a.exportTo(o.file)
		if err != nil {
			return err
		}
		defer abandon()
		w := jsonl.NewWriter(out)
		if err := exportAll(ctx, a, client, o, w); err != nil {
			return err
		}
		if err := errors.Join(w.Flush(), finish()); err != nil {
			return mesh.Errorf(mesh.Unavailable, "export to "+o.file, "%w", err)
		}
		keys, lines, bytes := w.Written()
		told := exported{File: o.file, Keys: keys, Lines: lines, Bytes: bytes}
		if o.file == "-" { // stdout is for the lines alone
			told.text(a.stderr)
			return nil
		}
		return a.show(told)
	})
}

// exportTo opens what is exported to. finish makes a file whole, which has
// another name before; abandon removes what is not whole.
func (a *app) exportTo(file string) (out io.Writer, finish func() error, abandon func(), err error) {
	if file == "-" {
		return a.stdout, func() error { return nil }, func() {}, nil
	}
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil, mesh.Errorf(mesh.Conflict, "export", "%s exists: expected a new file", file)
	}
	part, err := os.OpenFile(file+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, nil, mesh.Errorf(mesh.Invalid, "export", "%w", err)
	}
	finish = func() error {
		if err := errors.Join(part.Sync(), part.Close()); err != nil {
			return err
		}
		return os.Rename(file+".part", file)
	}
	abandon = func() {
		_ = part.Close()              // done already, unless something failed
		_ = os.Remove(file + ".part") // nor is it there then
	}
	return part, finish, abandon, nil
}

func exportAll(ctx context.Context, a *app, client *sdk.Client, o exportOptions, w *jsonl.Writer) error {
	namespaces := []string{o.namespace}
	if o.namespace == "" {
		var err error
		if namespaces, err = exportable(ctx, client); err != nil {
			return err
		}
	}
	quorum, err := readQuorum(ctx, client)
	if err != nil {
		return err
	}
	progress := a.newProgress("keys")
	for _, namespace := range namespaces {
		reader := client.In(namespace).WithState(sdk.StateOptions{ReadQuorum: quorum})
		for key, err := range reader.Export(ctx, o.prefix) {
			if err != nil {
				return err
			}
			name := mesh.Key{Namespace: namespace, Name: key.Name}
			if err := w.Write(name, key.Value, key.Expires, key.Piece > 0); err != nil {
				return mesh.Errorf(mesh.Unavailable, "export to "+o.file, "%w", err)
			}
			keys, _, _ := w.Written()
			progress.so(int(keys))
		}
	}
	return nil
}

// exportable lists the namespaces that there are, but the mesh's own.
func exportable(ctx context.Context, client *sdk.Client) (names []string, err error) {
	for name, err := range client.Namespaces(ctx) {
		if err != nil {
			return nil, err
		}
		if name != mesh.SystemNamespace {
			names = append(names, name)
		}
	}
	return names, nil
}

// readQuorum is for reads of large values: with the usual write quorum of two
// of three, they see all that was acknowledged.
func readQuorum(ctx context.Context, client *sdk.Client) (int, error) {
	status, err := client.Status(ctx)
	if err != nil {
		return 0, err
	}
	for _, peer := range status.Peers {
		if peer.Live {
			return 2, nil
		}
	}
	return 1, nil
}

// exported says what an export wrote.
type exported struct {
	File  string `json:"file"`
	Keys  int64  `json:"keys"`
	Lines int64  `json:"lines"`
	Bytes int64  `json:"bytes"`
}

func (e exported) text(w io.Writer) {
	to := " to " + e.File
	if e.File == "-" {
		to = ""
	}
	fmt.Fprintf(w, "exported %s in %s, %d bytes%s\n", counted(e.Keys, "key"), counted(e.Lines, "line"), e.Bytes, to)
}

// counted is a number of things.
func counted(n int64, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}
