package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/jsonform"
)

// app is what all commands share: the flags that all have, and where they
// read and write.
type app struct {
	home      string
	addrs     []string
	namespace string
	output    string
	timeout   time.Duration

	stdin          io.Reader
	stdout, stderr io.Writer
	client         *sdk.Client // of a session of several commands; nil elsewhere
	kept           *keptSession
	// dial connects to the mesh of home. Tests attach to a transport of their own.
	dial func(context.Context, sdk.Config) (*sdk.Client, error)
}

func newApp(stdin io.Reader, stdout, stderr io.Writer) *app {
	return &app{stdin: stdin, stdout: stdout, stderr: stderr, output: outputText, dial: sdk.Dial, kept: &keptSession{}}
}

// The forms of output.
const (
	outputText = "text"
	outputJSON = "json"
	outputYAML = "yaml" // of commands that allowYAML
)

// takesYAML marks commands whose result is an inYAML.
const takesYAML = "takes --output yaml"

// inYAML is a result that has a form as YAML, which other commands read.
type inYAML interface{ yaml() ([]byte, error) }

// allowYAML lets a command have --output yaml.
func allowYAML(cmd *cobra.Command) { cmd.Annotations = map[string]string{takesYAML: ""} }

func (a *app) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&a.home, "home", cmp.Or(os.Getenv("VIRGA_HOME"), ".virga"), "folder of the mesh's context; VIRGA_HOME sets it too")
	flags.StringSliceVar(&a.addrs, "addr", nil, "node to connect to, as host:port, in place of those of the context")
	flags.StringVar(&a.namespace, "namespace", mesh.DefaultNamespace, "namespace of functions, DAGs and keys")
	flags.StringVarP(&a.output, "output", "o", outputText, "text or json; yaml for DAGs")
	flags.DurationVar(&a.timeout, "timeout", sdk.DefaultTimeout, "longest time the command may take")
}

func (a *app) validate(cmd *cobra.Command) error {
	_, yaml := cmd.Annotations[takesYAML]
	switch {
	case a.output == outputYAML && yaml:
	case a.output == outputYAML:
		return usagef("--output yaml: expected text or json; yaml is for the commands of virga dag that print DAGs")
	case a.output != outputText && a.output != outputJSON:
		return usagef("--output %q: expected text or json", a.output)
	}
	if a.timeout <= 0 {
		return usagef("--timeout %v: expected a positive duration", a.timeout)
	}
	return mesh.ValidateNamespace(a.namespace)
}

// withClient connects to the mesh, and runs f within the timeout.
func (a *app) withClient(ctx context.Context, f func(context.Context, *sdk.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	client, release, err := a.borrowClient(ctx)
	if err != nil {
		return err
	}
	defer release()
	if client, err = a.kept.enter(client); err != nil {
		return err
	}
	err = f(ctx, client)
	if unkept := a.kept.save(); err == nil {
		err = unkept
	}
	return err
}

// borrowClient gives the connection of the session, or one of its own, which
// release ends.
func (a *app) borrowClient(ctx context.Context) (client *sdk.Client, release func(), err error) {
	if a.client != nil {
		return a.client, func() {}, nil
	}
	if client, err = a.connect(ctx); err != nil {
		return nil, nil, err
	}
	return client, func() { client.Close() }, nil
}

// connect gives up well before a command would: a mesh that is down does not answer at all.
func (a *app) connect(ctx context.Context) (*sdk.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, min(a.timeout, sdk.DefaultDialTimeout))
	defer cancel()
	return a.dial(ctx, sdk.Config{ContextDir: a.home, Addrs: a.addrs, Namespace: a.namespace})
}

// result is what a command has to say. As JSON it is its fields.
type result interface {
	// text writes it for people, line by line.
	text(w io.Writer)
}

func (a *app) show(r result) error {
	if a.output == outputText {
		r.text(a.stdout)
		return nil
	}
	if a.output == outputYAML {
		text, err := r.(inYAML).yaml()
		if err == nil {
			_, err = a.stdout.Write(text)
		}
		return err
	}
	encoder := json.NewEncoder(a.stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// done is the result of a command that only did something.
type done struct {
	Done string `json:"done"`
}

func (d done) text(w io.Writer) { fmt.Fprintln(w, d.Done) }

// showError writes the error that ends the program to stderr.
func (a *app) showError(err error) {
	if a.output != outputJSON {
		fmt.Fprintln(a.stderr, "virga:", err)
		return
	}
	encoder := json.NewEncoder(a.stderr)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(map[string]*jsonform.Error{"error": jsonform.ErrorOf(err)}) // there is no one left to tell
}
