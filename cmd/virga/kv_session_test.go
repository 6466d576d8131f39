package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/virga-mesh/virga/internal/exitcode"
	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/sdk"
)

// realNode answers as a node does.
func realNode(t *testing.T) answer {
	t.Helper()
	m, err := simmesh.Start(t.Context(), simmesh.Options{Nodes: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return func(req wire.Message) (wire.Message, error) { return m.Node(0).Do(t.Context(), req) }
}

func TestAFileKeepsASession(t *testing.T) {
	node, file := realNode(t), filepath.Join(t.TempDir(), "session")
	if o := virga(t, node, "", "kv", "--session", file, "--guarantees", "read-your-writes", "put", "greeting", "hello"); o.code != 0 {
		t.Fatal(o.stderr)
	}
	token, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	session, err := sdk.OpenSession(token)
	if err != nil || session.Guarantees() != sdk.ReadYourWrites {
		t.Fatalf("the file holds a session with %v, %v", session.Guarantees(), err)
	}
	// It asks for cells, also of a key that is missing.
	missing := func(req wire.Message) (wire.Message, error) {
		if get, ok := req.(*pb.Get); !ok || !get.Cell {
			return nil, mesh.Errorf(mesh.Invalid, "test", "asked %T: expected a get with the cell", req)
		}
		return &pb.GetReply{Cell: []byte{0, 0, 0}}, nil
	}
	for _, c := range []struct {
		through answer
		args    []string
		want    string
	}{
		{node, []string{"kv", "--session", file, "get", "greeting"}, "hello\n"},
		{node, []string{"kv", "get", "greeting", "--session", file}, "hello\n"},
		{node, []string{"kv", "get", "greeting"}, "hello\n"},
		{node, []string{"kv", "--session", file, "--file", script(t, "put greeting again", "get greeting")}, "again\n"},
	} {
		if o := virga(t, c.through, "", c.args...); o.code != 0 || o.stdout != c.want {
			t.Errorf("%q prints %q, %s", c.args, o.stdout, o.stderr)
		}
	}
	if o := virga(t, missing, "", "kv", "--session", file, "get", "nothing"); !errors.Is(o.err, mesh.NotFound) {
		t.Errorf("a key that nobody wrote: %v", o.err)
	}
}

func TestSessionsThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken")
	if err := os.WriteFile(broken, []byte("no token"), 0o600); err != nil {
		t.Fatal(err)
	}
	node := realNode(t)
	if o := virga(t, node, "", "kv", "--session", broken, "get", "k"); !errors.Is(o.err, mesh.Invalid) || !contains(o.stderr, broken) {
		t.Errorf("a broken file: %v", o.err)
	}
	fresh := filepath.Join(dir, "fresh")
	if o := virga(t, node, "", "kv", "--session", fresh, "--guarantees", "magic", "get", "k"); o.code != exitcode.Of(usagef("")) || !contains(o.stderr, "monotonic-reads") {
		t.Errorf("an unknown guarantee: %d, %s", o.code, o.stderr)
	}
}
