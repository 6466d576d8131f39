package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

type dagApplyOptions struct {
	files  []string
	dryRun bool
}

func dagApplyCommand(a *app) *cobra.Command {
	var o dagApplyOptions
	cmd := &cobra.Command{
		Use:   "apply -f FILE...",
		Short: "Create or replace the DAGs of YAML files",
		Long: `Create or replace the DAGs of YAML files, several in one after lines of ---. All are
checked before the first one is stored. docs/dag.md tells the form; what
virga dag show NAME --output yaml prints has it. A small one:

  name: steady
  stages:
    - name: fetch
      retry: {attempts: 3, backoff: 100ms}
      timeout: 1s
    - name: alarm
      function: page@prod
  edges:
    - {from: fetch, to: alarm, when: celsius > 90}`,
		Example: `  virga dag apply -f pipeline.yaml
  virga dag apply -f pipeline.yaml --dry-run
  virga dag show pipeline --output yaml | sed s/incr/decr/ | virga dag apply -f -`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDAGApply(cmd.Context(), a, o)
		},
	}
	cmd.Flags().StringArrayVarP(&o.files, "file", "f", nil, "file to read; - for stdin")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "check and print the DAGs, and store nothing")
	allowYAML(cmd)
	return cmd
}

func noArgs(cmd *cobra.Command, args []string) error { return atMost(0)(cmd, args) }

func runDAGApply(ctx context.Context, a *app, o dagApplyOptions) error {
	if len(o.files) == 0 {
		return usagef("no file: expected -f FILE, or -f - for stdin")
	}
	var documents []*dagDocument
	seen := map[mesh.Key]*dagDocument{}
	for _, file := range o.files {
		text, err := a.readFile(file)
		if err != nil {
			return err
		}
		some, err := readDAGs(file, a.namespace, text)
		if err != nil {
			return err
		}
		for _, d := range some {
			key := mesh.Key{Namespace: d.dag.Namespace, Name: d.dag.Name}
			if first := seen[key]; first != nil {
				return d.errorf(d.line, "dag %s is there twice, first at %s:%d", d.dag.Name, first.source, first.line)
			}
			seen[key] = d
		}
		documents = append(documents, some...)
	}
	if o.dryRun {
		list := dagsApplied{Applied: []dagApplied{}}
		for _, d := range documents {
			list.add(d.dag, "checked")
		}
		return a.show(list)
	}
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		return applyDAGs(ctx, a, client, documents)
	})
}

// readFile reads a file, which is stdin for -.
func (a *app) readFile(file string) (text []byte, err error) {
	if file == "-" {
		text, err = io.ReadAll(a.stdin)
	} else {
		text, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, mesh.Errorf(mesh.Invalid, "read DAGs", "%w", err)
	}
	return text, nil
}

// applyDAGs stores the DAGs that differ from those of the mesh, and tells of
// those that were stored also when one fails.
func applyDAGs(ctx context.Context, a *app, client *sdk.Client, documents []*dagDocument) error {
	list := dagsApplied{Applied: []dagApplied{}}
	for _, d := range documents {
		done, err := applyDAG(ctx, client.In(d.dag.Namespace), d.dag)
		if err != nil {
			if len(list.Applied) > 0 {
				err = errors.Join(err, a.show(list))
			}
			return d.failed(err)
		}
		list.add(d.dag, done)
	}
	return a.show(list)
}

// failed adds to what the mesh said where the DAG stands.
func (d *dagDocument) failed(err error) error {
	e := *mesh.AsError("", err)
	e.Op, e.Msg, e.Err = fmt.Sprintf("%s:%d: %s", d.source, d.line, e.Op), e.Text(), nil
	return &e
}

func applyDAG(ctx context.Context, client *sdk.Client, dag *mesh.DAG) (done string, err error) {
	before, err := client.GetDAG(ctx, dag.Name)
	switch {
	case errors.Is(err, mesh.NotFound):
		done = "created"
	case err != nil:
		return "", err
	case reflect.DeepEqual(before, dag):
		return "unchanged", nil
	default:
		done = "replaced"
	}
	return done, client.CreateDAG(ctx, dag)
}

// dagsApplied is what became of the DAGs of files.
type dagsApplied struct {
	Applied []dagApplied `json:"applied"`
}

type dagApplied struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Done      string `json:"done"` // created, replaced, unchanged or checked

	dag *mesh.DAG
}

func (l *dagsApplied) add(dag *mesh.DAG, done string) {
	l.Applied = append(l.Applied, dagApplied{dag.Name, dag.Namespace, done, dag})
}

func (l dagsApplied) text(w io.Writer) {
	for _, d := range l.Applied {
		fmt.Fprintf(w, "%s dag %s\n", d.Done, d.Name)
		if d.Done == "checked" {
			describeDAG(d.dag).text(w)
		}
	}
}

func (l dagsApplied) yaml() ([]byte, error) {
	var dags []*mesh.DAG
	for _, d := range l.Applied {
		dags = append(dags, d.dag)
	}
	return writeDAGs(dags)
}
