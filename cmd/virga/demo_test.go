package main

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestDemo(t *testing.T) {
	s := newSession(t)
	stdout, stderr, code := s.run("demo", "--output", "json")
	var report demoReport
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || code != 0 {
		t.Fatalf("code %d, %v\n%s%s", code, err, stdout, stderr)
	}
	if last := report.Steps[len(report.Steps)-1]; last.What != "stop everything" || last.Result != "2 nodes stopped" {
		t.Errorf("the last step was %+v", last)
	}
}

func TestAnInterruptedDemoLeavesNothing(t *testing.T) {
	s := newSession(t)
	cmd := s.command(t.Context(), "demo")
	temp := t.TempDir()
	cmd.Env = append(cmd.Env, "TMPDIR="+temp)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	interrupted := false
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if !interrupted && strings.Contains(lines.Text(), "connect as a client") {
			interrupted = true
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Error(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != 9 {
		t.Errorf("ended with %v, want the exit code of Cancelled", err)
	}
	if !interrupted {
		t.Error("the nodes never started")
	}
	// The folder goes only once all nodes have stopped.
	left, err := os.ReadDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range left {
		if strings.HasPrefix(entry.Name(), "virga-demo-") {
			t.Errorf("%s is left", entry.Name())
		}
	}
}
