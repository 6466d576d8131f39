package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/internal/localmesh"
)

// session runs the programs as a user does: as processes, in one home.
type session struct {
	t    *testing.T
	bin  string
	home string
}

// newSession builds both programs and starts a mesh of three nodes, which
// ends with the test.
func newSession(t *testing.T) *session {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the programs and starts processes")
	}
	s := &session{t: t, bin: t.TempDir(), home: filepath.Join(t.TempDir(), "home")}
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", s.bin+"/", "../virga", "../virgad").CombinedOutput()
	if err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command(filepath.Join(s.bin, "virga"), "--home", s.home, "down").CombinedOutput(); err != nil {
			t.Errorf("down: %v\n%s", err, out)
		}
	})
	s.run("up", "-n", "3")
	return s
}

// run gives what a command printed, and its exit code.
func (s *session) run(args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), filepath.Join(s.bin, "virga"), args...)
	cmd.Env = append(os.Environ(), "VIRGA_HOME="+s.home)
	cmd.Dir = "../.." // of the examples
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// wants runs a command that must print this and succeed.
func (s *session) wants(stdout string, args ...string) {
	s.t.Helper()
	got, stderr, code := s.run(args...)
	if got != stdout || code != 0 {
		s.t.Errorf("virga %s printed %q with code %d, expected %q; stderr:\n%s", strings.Join(args, " "), got, code, stdout, stderr)
	}
}

// succeeds runs a command that must only succeed.
func (s *session) succeeds(args ...string) {
	s.t.Helper()
	if _, stderr, code := s.run(args...); code != 0 {
		s.t.Errorf("virga %s: code %d; stderr:\n%s", strings.Join(args, " "), code, stderr)
	}
}

// fails runs a command that must end with this code and say these things.
func (s *session) fails(code int, saying []string, args ...string) {
	s.t.Helper()
	_, stderr, got := s.run(args...)
	if got != code {
		s.t.Errorf("virga %s: code %d, expected %d; stderr:\n%s", strings.Join(args, " "), got, code, stderr)
	}
	for _, part := range saying {
		if !strings.Contains(stderr, part) {
			s.t.Errorf("virga %s said %q, which does not tell %q", strings.Join(args, " "), stderr, part)
		}
	}
}

// TestSession is the README's session, on real processes; then again with
// one of the three killed.
func TestSession(t *testing.T) {
	s := newSession(t)
	status, _, _ := s.run("status")
	if !strings.Contains(status, "3 nodes, 3 ready") {
		t.Errorf("status printed\n%s", status)
	}
	s.fails(11, []string{"virga down"}, "up")
	s.session()
	s.fails(2, []string{"Invalid", "not WebAssembly", "expected"}, "fn", "deploy", "bad", "go.mod")

	victim := s.nodes()[1]
	if err := victim.Kill(); err != nil {
		t.Fatal(err)
	}
	s.session()
	status, _, _ = s.run("status")
	if !strings.Contains(status, "2 ready") || !strings.Contains(status, victim.Addr) {
		t.Errorf("status with a node killed printed\n%s", status)
	}
	s.succeeds("up") // starts the one that is missing
	if s.nodes()[1].PID == victim.PID {
		t.Error("the killed node was not started again")
	}
	s.wants("hello\n", "kv", "get", "greeting")
}

// session is what a user types; it may be repeated.
func (s *session) session() {
	s.t.Helper()
	s.succeeds("fn", "deploy", "square", "./examples/square")
	s.wants("4\n", "call", "square", "2")
	s.succeeds("fn", "deploy", "incr", "./examples/incr")
	s.succeeds("dag", "create", "pipeline", "--edge", "incr:square")
	s.wants("4\n", "dag", "call", "pipeline", "incr=1")
	s.fails(2, []string{"Invalid", "expected int"}, "call", "square", `"x"`)
	s.fails(3, []string{"NotFound", "nosuch"}, "call", "nosuch", "1")
	s.fails(2, []string{"Invalid", "incr -> square -> incr"}, "dag", "create", "bad", "--edge", "incr:square", "--edge", "square:incr")
	s.succeeds("kv", "put", "greeting", "hello")
	s.wants("hello\n", "kv", "get", "greeting")
	s.succeeds("kv", "add", "--kind", "set", "tags", "a")
	s.succeeds("kv", "add", "--kind", "set", "tags", "b")
	s.wants("a\nb\n", "kv", "get", "tags")
	s.fails(4, []string{"KindMismatch"}, "kv", "put", "tags", "x")
	s.wants("a\nb\n", "kv", "get", "tags")
	id, _, _ := s.run("call", "square", "3", "--future")
	s.wants("9\n", "run", "wait", strings.TrimSpace(id))
}

func (s *session) nodes() []localmesh.Node {
	s.t.Helper()
	nodes, err := localmesh.Nodes(s.home)
	if err != nil || len(nodes) != 3 {
		s.t.Fatalf("nodes: %v, %v", nodes, err)
	}
	return nodes
}
