package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/bench"
	"github.com/virga-mesh/virga/internal/exitcode"
	"github.com/virga-mesh/virga/internal/golden"
	"github.com/virga-mesh/virga/mesh"
)

func TestBenchOptions(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"nosuch"}, "expected some of all, floor, call, dag, kv, cloudburst, retwis, embedded, consistency, anna"},
		{[]string{"--duration", "0s"}, "positive"},
		{[]string{"--duration", "2h"}, "up to 1m0s"},
		{[]string{"--warmup", "-1s"}, "--warmup"},
		{[]string{"--callers", "1,0"}, "1 to 1024"},
		{[]string{"anna", "--keys", "10"}, "--keys 10: expected 100 to 10000000"},
		{[]string{"anna", "--store-keys", "0"}, "--store-keys 0"},
		{[]string{"retwis", "--users", "3"}, "--users 3: expected 4 to 100000"},
		{[]string{"--callers", "many"}, "invalid"},
		{[]string{"consistency", "--runs", "0"}, "--runs 0: expected 1 to 1000000"},
		{[]string{"consistency", "--run-callers", "0"}, "--run-callers 0"},
		{[]string{"consistency", "--commit-runs", "-1"}, "--commit-runs -1: expected 0 to 1000000"},
		{[]string{"consistency", "--audit-runs", "-1"}, "--audit-runs -1: expected 0 to 3000"},
		{[]string{"consistency", "--audit-keys", "1"}, "--audit-keys 1: expected 2"},
		{[]string{"consistency", "--replicas", "4"}, "--replicas 4: expected 1 to 3"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			got := virga(t, unasked(t), "", append([]string{"bench"}, c.args...)...)
			if !errors.Is(got.err, mesh.Invalid) || !strings.Contains(got.stderr, c.want) {
				t.Errorf("%q: expected Invalid with %q", got.stderr, c.want)
			}
		})
	}
}

func TestBenchChoosesSuites(t *testing.T) {
	for _, c := range []struct{ asked, want []string }{
		{nil, []string{"floor", "call", "dag", "kv", "embedded"}},
		{[]string{"kv", "call"}, []string{"floor", "call", "kv"}},
		{[]string{"floor"}, []string{"floor"}},
		{[]string{"embedded", "all"}, []string{"floor", "call", "dag", "kv", "cloudburst", "retwis", "embedded", "consistency", "anna"}},
		{[]string{"anna"}, []string{"floor", "anna"}},
	} {
		o := benchOptions{suites: c.asked, duration: time.Second, callers: []int{16, 8, 16}, keys: 100, storeKeys: 100, users: 10, consistencyOptions: defaultConsistencyOptions()}
		if err := o.validate(); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, suite := range o.chosen() {
			got = append(got, suite.name)
		}
		if !slices.Equal(got, c.want) || !slices.Equal(o.callers, []int{1, 8, 16}) {
			t.Errorf("%v gave %v with %v callers, want %v", c.asked, got, o.callers, c.want)
		}
	}
}

func TestHelpOfBench(t *testing.T) {
	got := virga(t, unasked(t), "", "bench", "--help")
	if got.code != 0 {
		t.Fatalf("got %+v", got)
	}
	golden.Text(t, "help/bench.txt", got.stdout)
}

func TestChainsHaveOneHopMoreForEachStage(t *testing.T) {
	m := &benchMesh{ids: []mesh.NodeID{"a", "b", "c"}}
	for _, n := range chainLengths {
		d := chainDAG(n)
		d.Namespace = mesh.DefaultNamespace
		if err := d.Validate(); err != nil {
			t.Error(err)
		}
		place, hops := m.apart(d), 0
		for _, edge := range d.Edges {
			if place[edge.From] != place[edge.To] {
				hops++
			}
		}
		if len(d.Stages) != n || hops != n-1 || place[d.Stages[0].Name] == m.ids[0] {
			t.Errorf("a chain of %d has %d stages and %d hops", n, len(d.Stages), hops)
		}
	}
}

// TestBench runs the program on real processes.
func TestBench(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program and starts processes")
	}
	program := filepath.Join(t.TempDir(), "virga")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	t.Run("everyday", func(t *testing.T) { testBenchEveryday(t, program) })
	t.Run("cloudburst", func(t *testing.T) { testBenchCloudburst(t, program) })
	t.Run("consistency", func(t *testing.T) { testBenchConsistency(t, program) })
	t.Run("commits", func(t *testing.T) { testBenchCommits(t, program) })
	t.Run("retwis", func(t *testing.T) { testBenchRetwis(t, program) })
	t.Run("anna", func(t *testing.T) { testBenchAnna(t, program) })
	for _, suite := range [][]string{{"kv"}, {annaSuite, "--only", joinCase, "--keys", "1000"}} {
		t.Run(suite[0]+" interrupted", func(t *testing.T) { testBenchInterrupted(t, program, suite...) })
	}
}

// benchProcess is the program with a folder of its own for what is temporary.
func benchProcess(t *testing.T, program string, args ...string) (cmd *exec.Cmd, temp string) {
	temp = t.TempDir()
	cmd = exec.CommandContext(t.Context(), program, append([]string{"bench"}, args...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	return cmd, temp
}

// measured is what the program tells with --output json.
type measured struct {
	Notes  []string
	Rows   []bench.Row
	Tables []bench.Table
	Goals  []bench.Goal
}

// benchReportOf runs cases that are as short as can be, and sees that nothing is left behind.
func benchReportOf(t *testing.T, program string, args ...string) (report measured) {
	t.Helper()
	cmd, temp := benchProcess(t, program, append(args, "--duration", "5ms", "--warmup", "1ms", "--callers", "1,2", "--output", "json")...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	if err := json.Unmarshal(stdout, &report); err != nil {
		t.Fatalf("%v\n%s", err, stdout)
	}
	wantNoBenchFolder(t, temp)
	return report
}

func testBenchCloudburst(t *testing.T, program string) {
	report := benchReportOf(t, program, cloudburstSuite)
	for _, name := range []string{compositionCase, wideDiamondCase, gatherCase, gossipCase, summaCase, scalingCase, coldCase, cachedColdCase} {
		if !slices.ContainsFunc(report.Rows, func(r bench.Row) bool { return r.Name == name && r.N > 0 }) {
			t.Errorf("%q was not measured", name)
		}
	}
}

func testBenchEveryday(t *testing.T, program string) {
	profiles := t.TempDir()
	report := benchReportOf(t, program, "--profile", profiles)
	for _, row := range report.Rows {
		if row.N < 1 || row.PerSec <= 0 || row.P50US <= 0 || row.P99US < row.P50US || row.P50Ratio <= 0 {
			t.Errorf("%+v", row)
		}
	}
	if cases := 2 + 2 + 4*2 + 12 + 9*2 + 5; len(report.Rows) != cases {
		t.Errorf("%d rows, want %d", len(report.Rows), cases)
	}
	for _, goal := range report.Goals {
		if !goal.Measured && !strings.Contains(goal.What, "128 callers") {
			t.Errorf("not measured: %s", goal.What)
		}
	}
	for _, process := range []string{"bench", "n1", "n2", "n3"} {
		for _, kind := range []string{"cpu", "allocs"} {
			if info, err := os.Stat(filepath.Join(profiles, process+"."+kind+".pprof")); err != nil || info.Size() == 0 {
				t.Errorf("profile: %v, %v", info, err)
			}
		}
	}
}

// testBenchInterrupted sends SIGINT once the processes of the mesh run.
func testBenchInterrupted(t *testing.T, program string, args ...string) {
	cmd, temp := benchProcess(t, program, append(args, "--duration", "100ms", "--warmup", "0s", "--callers", "1")...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		if started, _ := filepath.Glob(filepath.Join(temp, "virga-bench-*", "nodes", "n3", "virgad.pid")); started != nil {
			break
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatal("the nodes never started")
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != exitcode.Of(mesh.Errorf(mesh.Cancelled, "", "")) {
		t.Errorf("ended with %v, want the exit code of Cancelled", err)
	}
	wantNoBenchFolder(t, temp)
}

// wantNoBenchFolder fails a test if a run's folder stays: it goes only once all nodes have stopped.
func wantNoBenchFolder(t *testing.T, temp string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(temp, "virga-bench-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
