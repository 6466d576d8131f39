package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/sdk"
)

// memory is a mesh of one map, for commands that follow one another.
func memory(t *testing.T) answer {
	cells, time := map[string]*lattice.Cell{}, uint64(0)
	return func(req wire.Message) (wire.Message, error) {
		switch m := req.(type) {
		case *pb.Put:
			op, err := lattice.DecodeOp(m.Op)
			if err != nil {
				t.Fatal(err)
			}
			cell := cells[m.Key.Name]
			if cell == nil {
				cell = &lattice.Cell{}
				cells[m.Key.Name] = cell
			}
			time++
			delta, err := cell.Apply(lattice.Kind(m.Kind), op, lattice.Write{Stamp: lattice.Stamp{Time: time, Node: "n"}, Writer: "w"})
			if err != nil {
				return nil, mesh.Errorf(mesh.KindMismatch, "put", "%w", err)
			}
			if _, err := cell.Merge(delta); err != nil {
				t.Fatal(err)
			}
			return &pb.PutReply{Replicas: 1, Durability: uint32(mesh.Logged)}, nil
		case *pb.Get:
			cell := cells[m.Key.Name]
			if cell == nil {
				return nil, mesh.Errorf(mesh.NotFound, "get", "no such key")
			}
			v, _ := cell.Value()
			return &pb.GetReply{Value: v.AppendBinary(nil)}, nil
		}
		return nil, mesh.Errorf(mesh.Invalid, "request", "unexpected %T", req)
	}
}

func script(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "commands.txt")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAScriptRunsCommandsInOrder(t *testing.T) {
	path := script(t, "# Anna's, and ours", "PUT a 1", "GET a", "", "PUT_SET s x 'y z'", "GET_SET s",
		"PUT_CAUSAL c v", "GET_CAUSAL c", "inc n 5", "inc n -- -2", `put-field m name "Ada L."`, "get n", "get m", "PUT neg -5", "GET neg")
	got := virga(t, memory(t), "", "kv", "--file", path)
	if want := "1\nx\ny z\nv\n3\nname=\"Ada L.\"\n-5\n"; got.code != 0 || got.stdout != want {
		t.Errorf("code %d, printed %q %q: expected %q", got.code, got.stdout, got.stderr, want)
	}
	got = virga(t, memory(t), "put a piped\nget a", "kv", "-f", "-")
	if got.code != 0 || got.stdout != "piped\n" {
		t.Errorf("code %d, printed %q %q", got.code, got.stdout, got.stderr)
	}
}

func TestAScriptStopsAtTheFirstError(t *testing.T) {
	path := script(t, "put a 1", "# nothing", "get missing", "get a")
	got := virga(t, memory(t), "", "kv", "-f", path)
	if !errors.Is(got.err, mesh.NotFound) || got.stdout != "" || !strings.Contains(got.stderr, "commands.txt:3") {
		t.Errorf("printed %q %q: expected NotFound at line 3", got.stdout, got.stderr)
	}
	for line, want := range map[string]string{
		"fetch a":        `"fetch" is not a command`,
		"get":            "argument KEY is missing",
		"get 'a":         "quote",
		"GET_SET":        "argument KEY is missing",
		"put a b --kind": "flag needs an argument",
		"put a -":        "read from there",
		"--file x":       "expected a command",
	} {
		got := virga(t, memory(t), line, "kv", "-f", "-")
		if !errors.Is(got.err, mesh.Invalid) || !strings.Contains(got.stderr, want) || !strings.Contains(got.stderr, "-:1") {
			t.Errorf("%q gave %q: expected Invalid with %q", line, got.stderr, want)
		}
	}
	got = virga(t, memory(t), "PUT_SET s x\nPUT s x", "kv", "-f", "-")
	if !errors.Is(got.err, mesh.KindMismatch) {
		t.Errorf("a put to a set gave %v", got.err)
	}
	got = virga(t, memory(t), "PUT a 1\nGET_SET a", "kv", "-f", "-")
	if !errors.Is(got.err, mesh.KindMismatch) || !strings.Contains(got.stderr, "expected set") {
		t.Errorf("a register as a set gave %v", got.err)
	}
}

func TestAScriptMayGoOnAfterErrors(t *testing.T) {
	path := script(t, "get missing", "put a 1", "fetch a", "get a")
	got := virga(t, memory(t), "", "kv", "-f", path, "--keep-going")
	if !errors.Is(got.err, mesh.NotFound) || got.stdout != "1\n" || !strings.Contains(got.stderr, "2 of 4") || !strings.Contains(got.stderr, "commands.txt:3") {
		t.Errorf("printed %q %q", got.stdout, got.stderr)
	}
}

func TestThePromptGoesOnAfterErrors(t *testing.T) {
	var stdout, stderr bytes.Buffer
	a := newApp(strings.NewReader("put a 1\nget missing\n\nget a\nexit\nget a\n"), &stdout, &stderr)
	a.timeout = sdk.DefaultTimeout
	dialled := 0
	a.dial = func(_ context.Context, c sdk.Config) (*sdk.Client, error) {
		dialled++
		return sdk.Attach(memory(t)), nil
	}
	if err := runKVPrompt(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	_, shown, _ := strings.Cut(stdout.String(), "\n")
	if want := prompt + prompt + prompt + prompt + "1\n" + prompt; shown != want || dialled != 1 {
		t.Errorf("%d connections, printed %q: expected %q", dialled, shown, want)
	}
	if !strings.Contains(stderr.String(), "NotFound") {
		t.Errorf("errors are %q", stderr.String())
	}
}
