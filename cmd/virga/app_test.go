package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/internal/exitcode"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/jsonform"
)

// answer is a Transport that a test gives as a function.
type answer func(req wire.Message) (wire.Message, error)

func (a answer) Do(_ context.Context, req wire.Message) (wire.Message, error) { return a(req) }

// unasked fails a test in which the mesh should not be asked.
func unasked(t *testing.T) answer {
	return func(req wire.Message) (wire.Message, error) {
		t.Errorf("the mesh was asked for %T: %v", req, req)
		return nil, errors.New("unexpected")
	}
}

// outcome is what a run of the program gives.
type outcome struct {
	stdout, stderr string
	code           int
	err            error
}

// virga runs the program in process, as main does.
func virga(t *testing.T, mesh answer, stdin string, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	a := newApp(strings.NewReader(stdin), &stdout, &stderr)
	a.dial = func(_ context.Context, c sdk.Config) (*sdk.Client, error) {
		return sdk.Attach(mesh).In(c.Namespace), nil
	}
	root := rootCommand(a)
	root.SetArgs(append([]string{"--home", t.TempDir()}, args...))
	err := root.ExecuteContext(t.Context())
	if err != nil {
		a.showError(err)
	}
	return outcome{stdout.String(), stderr.String(), exitcode.Of(err), err}
}

func TestUsageErrorsSayWhatWasExpected(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"nosuch"}, `"nosuch" is not a command`},
		{[]string{"kv", "nosuch"}, `"nosuch" is not a command`},
		{[]string{"call"}, "argument FUNCTION is missing"},
		{[]string{"call", "square", "hello"}, `'"hello"'`},
		{[]string{"call", "square", "2", "--policy"}, "flag needs an argument"},
		{[]string{"call", "square", "-2"}, "after --"},
		{[]string{"call", "square", "2", "--future", "--dry-run"}, "expected one of them"},
		{[]string{"call", "square", "2", "--run-timeout", "1s"}, "with --future"},
		{[]string{"call", "square", "2", "--run-id", "xyz"}, "hexadecimal"},
		{[]string{"call", "square", "2", "--node", "0"}, "node id"},
		{[]string{"call", "sq uare", "2"}, "function name"},
		{[]string{"call", "square", "2", "--output", "xml"}, "text or json"},
		{[]string{"call", "square", "2", "--timeout", "-1s"}, "positive"},
		{[]string{"call", "square", "2", "--namespace", "A B"}, "namespace"},
		{[]string{"dag", "create", "d", "--edge", "ab"}, "FROM:TO"},
		{[]string{"dag", "create", "d", "--edge", "a:a"}, "cycle a -> a"},
		{[]string{"dag", "create", "d"}, "no stages"},
		{[]string{"dag", "create", "bad", "--edge", "incr:square", "--edge", "square:incr"}, "incr -> square -> incr"},
		{[]string{"dag", "call", "d", "1"}, "STAGE=JSON"},
		{[]string{"dag", "call", "d", "a=x"}, "not JSON"},
		{[]string{"dag", "call", "d", "--place", "a"}, "STAGE=NODE"},
		{[]string{"dag", "show", "a", "b"}, `unexpected argument "b"`},
		{[]string{"kv", "put", "k"}, "argument VALUE is missing"},
		{[]string{"kv", "put", "k", "{", "--json"}, "not JSON"},
		{[]string{"kv", "put", "k", "v", "--kind", "set"}, "expected one of lww"},
		{[]string{"kv", "put", "k", "v", "--durability", "forever"}, "logged"},
		{[]string{"kv", "put", "", "v"}, "name has 0 bytes"},
		{[]string{"kv", "add", "tags", "a", "--kind", "lww"}, "expected one of set"},
		{[]string{"kv", "add", "tags", "a", "--kind", "bag"}, "or-set"},
		{[]string{"kv", "remove", "tags", "a", "--kind", "set"}, "expected one of or-set"},
		{[]string{"kv", "inc", "n", "x"}, "whole number"},
		{[]string{"kv", "inc", "n", "--kind", "gcounter", "--", "-1"}, "only grows"},
		{[]string{"kv", "get", "k", "--quorum", "-1"}, "at least 0"},
		{[]string{"kv", "get", "k", "--range", "5"}, "FROM:LENGTH"},
		{[]string{"kv", "get", "k", "--range", "0:-5"}, "FROM:LENGTH"},
		{[]string{"kv", "get", "k", "--kind", "bag"}, "--kind"},
		{[]string{"kv", "max", "k", "high"}, "expected a number"},
		{[]string{"kv", "max", "k", "NaN"}, "expected a number"},
		{[]string{"kv", "disable", "k", "--kind", "bool"}, "expected one of flag"},
		{[]string{"kv", "put-field", "k", "f"}, "argument VALUE is missing"},
		{[]string{"kv", "watch", "--from", "§"}, "not a token"},
		{[]string{"kv", "PUT_SET", "k"}, "argument ELEMENT is missing"},
		{[]string{"kv", "--keep-going"}, "expected a file"},
		{[]string{"kv", "--file", "/nonexistent"}, "no such file"},
		{[]string{"run", "wait", "12"}, "hexadecimal"},
		{[]string{"fn", "deploy", "f", "/nonexistent"}, "folder with a Go program"},
		{[]string{"fn", "deploy", "f", ".", "--memory-mib", "-1"}, "--memory-mib"},
		{[]string{"up", "-n", "-1"}, "nodes"},
		{[]string{"up", "-n", "2", "--max", "3"}, "expected one of them"},
		{[]string{"up", "--min", "2"}, "expected both"},
		{[]string{"up", "--max", "51"}, "--max 51: expected 1 to 50"},
		{[]string{"up", "--min", "3", "--max", "2"}, "--min 3: expected 1 to --max, which is 2"},
		{[]string{"up", "--max", "2", "--grace", "1ms"}, "--grace 1ms: expected at least 1s"},
		{[]string{"up", "--set", "concurrency"}, "NAME=VALUE"},
		{[]string{"up", "--set", "listen=127.0.0.1:1"}, "listen differs from node to node"},
		{[]string{"node", "follow"}, "expected add or remove"},
		{[]string{"token", "inspect", "hello"}, "virga1"},
		{[]string{"token", "create", "--role", "king"}, "node or client"},
		{[]string{"token", "create", "--expires", "-1h"}, "positive"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			got := virga(t, unasked(t), "", c.args...)
			if !errors.Is(got.err, mesh.Invalid) || got.code != 2 || !strings.Contains(got.stderr, c.want) {
				t.Errorf("code %d, %q: expected Invalid with %q", got.code, got.stderr, c.want)
			}
		})
	}
}

func TestErrorsAsJSON(t *testing.T) {
	failing := answer(func(wire.Message) (wire.Message, error) {
		return nil, &mesh.Error{Kind: mesh.UserError, Op: "call f", Stage: "f", Node: "node", Msg: "no <luck>"}
	})
	got := virga(t, failing, "", "call", "f", "--output", "json")
	var parsed struct{ Error jsonform.Error }
	if err := json.Unmarshal([]byte(got.stderr), &parsed); err != nil {
		t.Fatalf("%q: %v", got.stderr, err)
	}
	want := jsonform.Error{Kind: "UserError", Op: "call f", Stage: "f", Node: mesh.NodeID("node").String(), Message: "no <luck>"}
	if parsed.Error != want || got.code != 10 || got.stdout != "" {
		t.Errorf("got %+v with code %d", parsed.Error, got.code)
	}
}

func TestEveryCommandHasAnExample(t *testing.T) {
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		if cmd.Example == "" && cmd.Name() != "help" && cmd.Parent() != nil && cmd.Parent().Name() != "completion" {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		if cmd.Short == "" {
			t.Errorf("%s does not say what it does", cmd.CommandPath())
		}
		for _, below := range cmd.Commands() {
			visit(below)
		}
	}
	visit(rootCommand(newApp(nil, nil, nil)))
}

func TestHelpListsTheExitCodes(t *testing.T) {
	got := virga(t, unasked(t), "", "--help")
	if got.code != 0 || !strings.Contains(got.stdout, exitcode.Help()) {
		t.Errorf("help is %q", got.stdout)
	}
}

func TestShellCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if got := virga(t, unasked(t), "", "completion", shell); got.code != 0 || !strings.Contains(got.stdout, "virga") {
			t.Errorf("completion for %s: code %d, %d bytes", shell, got.code, len(got.stdout))
		}
	}
}

func TestNoMeshSelected(t *testing.T) {
	var stdout, stderr bytes.Buffer
	a := newApp(nil, &stdout, &stderr)
	root := rootCommand(a)
	root.SetArgs([]string{"--home", t.TempDir(), "call", "square", "2"})
	if err := root.ExecuteContext(t.Context()); !errors.Is(err, mesh.NotFound) || !strings.Contains(err.Error(), "virga up") {
		t.Errorf("got %v, want NotFound that says what to do", err)
	}
}
