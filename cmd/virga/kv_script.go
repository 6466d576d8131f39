package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/mesh"
)

// originals are the commands of Anna's own command line, as kv has them.
var originals = map[string][]string{
	"GET":        {"get", "--"},
	"PUT":        {"put", "--"},
	"GET_SET":    {"get", "--kind", "set", "--"},
	"PUT_SET":    {"add", "--kind", "set", "--"},
	"GET_CAUSAL": {"get", "--kind", "causal", "--"},
	"PUT_CAUSAL": {"put", "--kind", "causal", "--"},
}

// scriptOptions say where commands come from.
type scriptOptions struct {
	file      string
	keepGoing bool
}

// runKV runs what the user means by kv without one of its commands: those of
// a file, those that are typed at a prompt, or one of the originals.
func runKV(cmd *cobra.Command, a *app, o scriptOptions, args []string) error {
	ctx := cmd.Context()
	switch {
	case len(args) > 0 && originals[args[0]] == nil:
		return noCommand(cmd, args)
	case len(args) > 0:
		return a.kvLine(ctx, args)
	case o.file != "":
		return runKVScript(ctx, a, o)
	case o.keepGoing:
		return usagef("--keep-going is for --file: expected a file")
	case isTerminal(a.stdin):
		return runKVPrompt(ctx, a)
	}
	return cmd.Help()
}

// isTerminal reports whether someone types.
func isTerminal(r io.Reader) bool {
	file, ok := r.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// kvLine runs one command of kv.
func (a *app) kvLine(ctx context.Context, words []string) error {
	if expanded, is := originals[words[0]]; is {
		words = slices.Concat(expanded, words[1:])
	}
	if strings.HasPrefix(words[0], "-") {
		return usagef("%q: expected a command, such as get", words[0])
	}
	cmd := kvCommand(a)
	cmd.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "virga kv"}
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.CompletionOptions.DisableDefaultCmd = true
	cmd.SetOut(a.stdout)
	cmd.SetErr(a.stderr)
	cmd.SetFlagErrorFunc(flagError)
	cmd.SetArgs(words)
	return cmd.ExecuteContext(ctx)
}

// session is a with one connection for many commands, none of which reads
// the input that they come from.
func (a *app) session(ctx context.Context) (session *app, end func(), err error) {
	client, release, err := a.borrowClient(ctx)
	if err != nil {
		return nil, nil, err
	}
	view := *a
	view.client, view.stdin = client, noInput{}
	return &view, release, nil
}

// noInput is the standard input of commands that come from it themselves.
type noInput struct{}

func (noInput) Read([]byte) (int, error) {
	return 0, errors.New("the commands themselves are read from there")
}

// maxLine bounds a line of a script, in bytes.
const maxLine = 16 << 20

func lines(r io.Reader) *bufio.Scanner {
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	return s
}

// runKVScript runs the commands of a file, up to the first that fails.
func runKVScript(ctx context.Context, a *app, o scriptOptions) error {
	input := a.stdin
	if o.file != "-" {
		file, err := os.Open(o.file)
		if err != nil {
			return mesh.Errorf(mesh.Invalid, "read script", "%w", err)
		}
		defer file.Close()
		input = file
	}
	session, end, err := a.session(ctx)
	if err != nil {
		return err
	}
	defer end()
	if o.file != "-" {
		session.stdin = a.stdin
	}
	run, failed := 0, 0
	var first error
	script := lines(input)
	for number := 1; script.Scan(); number++ {
		words, err := splitWords(script.Text())
		if err == nil && len(words) == 0 {
			continue
		}
		run++
		if err == nil {
			err = session.kvLine(ctx, words)
		}
		if err == nil {
			continue
		}
		err = atLine(o.file, number, err)
		if !o.keepGoing || ctx.Err() != nil {
			return err
		}
		a.showError(err)
		if failed++; first == nil {
			first = err
		}
	}
	if err := script.Err(); err != nil {
		return mesh.Errorf(mesh.Invalid, "read script", "%w", err)
	}
	if failed > 0 {
		return mesh.Errorf(mesh.KindOf(first), "run script", "%d of %d commands failed", failed, run)
	}
	return nil
}

// atLine says in which line of a script an error is.
func atLine(file string, number int, err error) error {
	located := *mesh.AsError("", err)
	located.Op = strings.TrimSuffix(fmt.Sprintf("%s:%d: %s", file, number, located.Op), ": ")
	return &located
}

const prompt = "kv> "

// runKVPrompt runs the commands that are typed, until the input ends or one is
// exit. What fails is shown, and the next command asked for.
func runKVPrompt(ctx context.Context, a *app) error {
	session, end, err := a.session(ctx)
	if err != nil {
		return err
	}
	defer end()
	fmt.Fprintln(a.stdout, "Commands of kv, such as get KEY and put KEY VALUE; help lists them, exit ends.")
	for typed := range typedLines(ctx, a) {
		words, err := splitWords(typed)
		switch {
		case err == nil && len(words) == 0:
			continue
		case err == nil && (words[0] == "exit" || words[0] == "quit"):
			return nil
		case err == nil:
			err = session.kvLine(ctx, words)
		}
		if err != nil {
			a.showError(err)
		}
	}
	return nil
}

// typedLines gives the lines that are typed at a prompt, until the input or
// ctx ends. A read of a terminal cannot be ended: it is left behind when the
// program ends.
func typedLines(ctx context.Context, a *app) func(func(string) bool) {
	return func(yield func(string) bool) {
		typed, wanted := make(chan string), make(chan struct{})
		defer close(wanted)
		go func() {
			defer close(typed)
			input := lines(a.stdin)
			for range wanted {
				if !input.Scan() {
					return
				}
				select {
				case typed <- input.Text():
				case <-ctx.Done():
					return
				}
			}
		}()
		for {
			fmt.Fprint(a.stdout, prompt)
			wanted <- struct{}{}
			select {
			case line, ok := <-typed:
				if !ok || !yield(line) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}
