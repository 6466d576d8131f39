package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/localmesh"
)

// programsDir is where programs builds, for the time of the tests.
var programsDir string

// programs builds both programs, once for all tests.
var programs = sync.OnceValue(func() error {
	out, err := exec.Command("go", "build", "-o", programsDir+"/", "../virga", "../virgad").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
})

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "virga-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	programsDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// session runs the programs as a user does: as processes, in one home.
type session struct {
	t    *testing.T
	bin  string
	home string
}

// newSession gives a home without a mesh. A mesh there ends with the test.
func newSession(t *testing.T) *session {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the programs and starts processes")
	}
	if err := programs(); err != nil {
		t.Fatal(err)
	}
	s := &session{t: t, bin: programsDir, home: filepath.Join(t.TempDir(), "home")}
	t.Cleanup(func() {
		if out, err := exec.Command(filepath.Join(s.bin, "virga"), "--home", s.home, "down").CombinedOutput(); err != nil {
			t.Errorf("down: %v\n%s", err, out)
		}
	})
	return s
}

// command makes a command of the program, in the clone, for the examples.
// One that does not end with ctx is made to tell what its goroutines wait for.
func (s *session) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "virga"), args...)
	cmd.Env = append(os.Environ(), "VIRGA_HOME="+s.home, "TMPDIR="+s.t.TempDir())
	cmd.Dir = "../.."
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGQUIT) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// commandTimeout is longer than any command gives itself.
const commandTimeout = 90 * time.Second

// run gives what a command printed, and its exit code.
func (s *session) run(args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), commandTimeout)
	defer cancel()
	cmd := s.command(ctx, args...)
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
	s.succeeds("up", "-n", "3")
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

	ports := []string{s.nodes()[0].Addr, s.nodes()[1].Addr, s.nodes()[2].Addr}
	s.succeeds("down")
	s.succeeds("down")
	s.fails(7, []string{"Unavailable"}, "kv", "get", "greeting", "--timeout", "200ms")
	s.succeeds("up")
	for i, n := range s.nodes() {
		if n.Addr != ports[i] {
			t.Errorf("%s moved from %s to %s", n.Name, ports[i], n.Addr)
		}
	}
	s.wants("hello\n", "kv", "get", "greeting")
	s.wants("a\nb\n", "kv", "get", "tags")
	s.wants("4\n", "dag", "call", "pipeline", "incr=1")
	if logs, _, _ := s.run("logs", "n1", "--lines", "1000"); !strings.Contains(logs, "n1 virgad") || !strings.Contains(logs, "is ready") {
		t.Errorf("logs printed\n%s", logs)
	}
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
