package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// at runs the program with a home.
func at(t *testing.T, home, stdin string, args ...string) (string, error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	root := rootCommand(newApp(strings.NewReader(stdin), &stdout, &stderr))
	root.SetArgs(append([]string{"--home", home}, args...))
	err := root.ExecuteContext(t.Context())
	return stdout.String(), err
}

func TestFromRootToContext(t *testing.T) {
	home, other := t.TempDir(), t.TempDir()
	if _, err := at(t, home, "", "token", "create"); !errors.Is(err, mesh.NotFound) {
		t.Errorf("a token without a root: %v, want NotFound", err)
	}
	if _, err := at(t, home, "", "mesh", "init"); err != nil {
		t.Fatal(err)
	}
	if _, err := at(t, home, "", "mesh", "init"); !errors.Is(err, mesh.Conflict) {
		t.Errorf("a second init: %v, want Conflict", err)
	}
	token, err := at(t, home, "", "token", "create", "--verbs", "read,call", "--namespaces", "shop", "--bootstrap", "10.0.0.1:7000")
	if err != nil {
		t.Fatal(err)
	}
	inspected, err := at(t, home, token, "token", "inspect", "-", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var d tokenDescription
	if err := json.Unmarshal([]byte(inspected), &d); err != nil {
		t.Fatal(err)
	}
	if d.Role != "client" || d.Verbs != "read,call" || strings.Join(d.Namespaces, " ") != "shop" || d.Expired {
		t.Errorf("the token is %+v", d)
	}
	if strings.Contains(inspected, strings.TrimSpace(token)) {
		t.Error("inspect shows the secret")
	}
	if _, err := at(t, other, token, "mesh", "join", "-"); err != nil {
		t.Fatal(err)
	}
	saved, err := sdk.LoadContext(other)
	if err != nil || strings.Join(saved.Addrs, " ") != "10.0.0.1:7000" {
		t.Errorf("the context is %v, %v", saved.Addrs, err)
	}
	if _, err := at(t, other, token, "mesh", "join", "-"); !errors.Is(err, mesh.Conflict) {
		t.Errorf("a second join: %v, want Conflict", err)
	}
}

func TestJoiningWithABadToken(t *testing.T) {
	home := t.TempDir()
	if _, err := at(t, home, "", "mesh", "init"); err != nil {
		t.Fatal(err)
	}
	short, err := at(t, home, "", "token", "create")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := at(t, t.TempDir(), short, "mesh", "join", "-"); !errors.Is(err, mesh.Invalid) || !strings.Contains(err.Error(), "--addr") {
		t.Errorf("a token without nodes: %v", err)
	}
	damaged := strings.Replace(short, short[20:22], "aa", 1)
	if _, err := at(t, t.TempDir(), damaged, "mesh", "join", "-", "--addr", "a:1"); !errors.Is(err, mesh.Invalid) {
		t.Errorf("a damaged token: %v", err)
	}
}

func TestLogsOfNothing(t *testing.T) {
	if _, err := at(t, t.TempDir(), "", "logs"); !errors.Is(err, mesh.NotFound) || !strings.Contains(err.Error(), "virga up") {
		t.Errorf("logs: %v", err)
	}
}

func TestDownOfNothing(t *testing.T) {
	if out, err := at(t, t.TempDir(), "", "down"); err != nil || !strings.HasPrefix(out, "nothing runs") {
		t.Errorf("down: %q, %v", out, err)
	}
}

func TestDoctorSaysWhatToDo(t *testing.T) {
	out, err := at(t, t.TempDir(), "", "doctor")
	if err != nil || !strings.Contains(out, "virga up") {
		t.Errorf("doctor: %q, %v", out, err)
	}
	if f := judgeBuffer("receive", "net.core.rmem_max", "212992"); f.OK || !strings.Contains(f.Advice, "sysctl -w net.core.rmem_max=7500000") {
		t.Errorf("a small buffer: %+v", f)
	}
	if f := judgeBuffer("receive", "net.core.rmem_max", "7500000"); !f.OK || f.Advice != "" {
		t.Errorf("a large buffer: %+v", f)
	}
}
