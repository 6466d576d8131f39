package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/internal/jsonl"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

type importOptions struct {
	file         string // - is stdin
	namespace    string // in place of those of the lines; empty: as they say
	dryRun       bool
	skipExisting bool
	writeOptions
}

func importCommand(a *app) *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Write the state that JSON lines tell",
		Long: `Write the state that JSON lines tell, as virga export writes them, into this mesh; FILE - is
stdin. Each line is an ordinary write, and merges with what is there: elements and fields are
added to sets and maps, a max keeps the greater value, and what is there and not in the file
stays. Three kinds of values are not the same after a second import:

  registers (lww, mv-register, causal, multi-causal) are set: what was written since is replaced
  gcounter, pncounter                                are added to: twice the file counts twice
  flag                                               is set as the file says

With --skip-existing keys that exist before their line is read are left alone, whatever their
kind: then an import may be repeated. A key of several lines that was cut short is not
continued so.

All lines of a file are checked before the first write; a line that is wrong is told with its
number and what was expected. Of stdin the lines before it are written. Keys that expired since
the export are left out. Of several concurrent values of a register the first is written, and
the summary counts the others: a text carries no causal contexts. virga restore has them.`,
		Example: `  virga import state.jsonl
  virga import --dry-run state.jsonl
  virga export --namespace shop | virga import --home ../other/.virga --skip-existing -`,
		Args: exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("timeout") {
				a.timeout = archiveTimeout
			}
			if cmd.Flags().Changed("namespace") {
				o.namespace = a.namespace
			}
			o.file = args[0]
			return runImport(cmd.Context(), a, o)
		},
	}
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "only check the lines; needs no mesh")
	cmd.Flags().BoolVar(&o.skipExisting, "skip-existing", false, "leave keys alone that exist")
	o.addFlags(cmd.Flags())
	return cmd
}

func runImport(ctx context.Context, a *app, o importOptions) error {
	input := a.stdin
	if o.file != "-" {
		file, err := os.Open(o.file)
		if err != nil {
			return mesh.Errorf(mesh.Invalid, "import", "%w", err)
		}
		defer file.Close()
		input = file
	}
	if o.file != "-" || o.dryRun {
		checked, err := checkLines(ctx, input, o.file)
		if err != nil {
			return err
		}
		if o.dryRun {
			return a.show(checked)
		}
		if _, err := input.(*os.File).Seek(0, io.SeekStart); err != nil {
			return mesh.Errorf(mesh.Invalid, "import", "%s cannot be read twice: %w; give it on stdin, as -", o.file, err)
		}
	}
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		done, err := importLines(ctx, a, client, o, input)
		if err == nil {
			return a.show(done)
		}
		if done.Lines > 0 {
			fmt.Fprintf(a.stderr, "before it failed: ")
			done.text(a.stderr)
		}
		return err
	})
}

// checkLines reads all lines, and writes nothing.
func checkLines(ctx context.Context, in io.Reader, file string) (imported, error) {
	sum := imported{File: file, checked: true}
	var last mesh.Key
	for e, err := range importedEntries(ctx, file, in) {
		if err != nil {
			return sum, err
		}
		isNew := e.Key != last
		last = e.Key
		sum.Lines++
		sum.Left += int64(e.Left)
		switch {
		case !isNew:
		case expired(e, time.Now()):
			sum.Expired++
		default:
			sum.Keys++
		}
	}
	return sum, nil
}

// imported says what an import did, or would do.
type imported struct {
	File    string `json:"file"`
	Lines   int64  `json:"lines"`
	Keys    int64  `json:"keys"`   // written; those of several lines that do not follow one another count again
	Writes  int64  `json:"writes"` // acknowledged
	Skipped int64  `json:"skipped_keys"`
	Expired int64  `json:"expired_keys"`
	// Left counts the concurrent values of registers that were not written.
	Left int64 `json:"concurrent_values_left_out"`

	checked bool // nothing was written
}

func expired(e jsonl.Entry, now time.Time) bool { return !e.Expires.IsZero() && !now.Before(e.Expires) }

func (s imported) text(w io.Writer) {
	if s.checked {
		fmt.Fprintf(w, "checked %s of %s; nothing was written\n", counted(s.Lines, "line"), counted(s.Keys, "key"))
	} else {
		fmt.Fprintf(w, "imported %s from %s in %s\n", counted(s.Keys, "key"), counted(s.Lines, "line"), counted(s.Writes, "write"))
	}
	for _, part := range []struct {
		n    int64
		what string
	}{
		{s.Skipped, "skipped: they exist already"}, {s.Expired, "left out: they have expired"},
	} {
		if part.n > 0 {
			fmt.Fprintf(w, "%s %s\n", counted(part.n, "key"), part.what)
		}
	}
	if s.Left > 0 {
		fmt.Fprintf(w, "%s of registers left out: the first of each register counts\n", counted(s.Left, "concurrent value"))
	}
}
