package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/internal/bench"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/meshtest"
)

// testBenchCommits measures the cases of one number of keys, and no DAGs.
func testBenchCommits(t *testing.T, program string) {
	report := benchReportOf(t, program, consistencySuite, "--only", "of 2 keys", "--keys", "200", "--commit-runs", "10", "--run-callers", "2", "--replicas", "2")
	var measured []string
	for _, row := range report.Rows {
		if row.P50Ratio > 0 {
			continue // the floor
		}
		measured = append(measured, row.Name)
		if row.N != turnBlock || row.Callers != 2 || row.PerSec <= 0 || row.P50US <= 0 || row.P99US < row.P50US {
			t.Errorf("%+v", row)
		}
	}
	if want := []string{"puts of 2 keys, eventual", "puts of 2 keys, causal-session", "commit of 2 keys, transactional"}; !slices.Equal(measured, want) {
		t.Errorf("%q were measured, want %q", measured, want)
	}
	if len(report.Notes) != 2 || !strings.Contains(report.Notes[0], "200 keys of 8 B with 2 owner(s)") || !strings.Contains(report.Notes[1], "from seed 1") || len(report.Tables) != 0 {
		t.Errorf("the notes are %q, the tables %+v", report.Notes, report.Tables)
	}
}

func TestCommitsAreMeasuredIfTheyAreWanted(t *testing.T) {
	for _, c := range []struct {
		only string
		runs int
		want int
	}{
		{"", 1, len(commitSizes) * len(commitLevels)},
		{" key", 1, len(commitSizes) * len(commitLevels)},
		{"of 1 key,", 1, len(commitLevels)},
		{"of 16 keys", 1, len(commitLevels)},
		{"commit", 1, len(commitSizes)},
		{commitCase(4, mesh.CausalSession), 1, 1},
		{"DAGs", 1, 0},
		{"", 0, 0},
	} {
		b := &benchRun{benchOptions: benchOptions{only: c.only}}
		b.commitRuns = c.runs
		if got := b.wantedCommits(); len(got) != c.want {
			t.Errorf("--only %q --commit-runs %d: %v, want %d cases", c.only, c.runs, got, c.want)
		}
	}
}

func TestARunWritesDifferentKeysOfThoseThatAreDrawn(t *testing.T) {
	const keys, runs = 100, 500
	draws := bench.Draws(1000, keys, 0, 7)
	most := slices.Max(commitSizes)
	written := map[string]int{}
	for run := range runs {
		all := putsKeys(draws, run, most)
		for _, n := range commitSizes {
			if got := putsKeys(draws, run, n); !slices.Equal(got, all[:n]) {
				t.Fatalf("run %d of %d keys writes %v, and %v of %d", run, n, got, all, most)
			}
		}
		for _, key := range all {
			written[key]++
		}
		slices.Sort(all)
		if len(slices.Compact(all)) != most {
			t.Fatalf("run %d writes a key twice: %v", run, all)
		}
	}
	if len(written) != keys {
		t.Errorf("%d keys were written, want %d", len(written), keys)
	}
	if text := putsText(7); len(text) != 8 || text == putsText(8) {
		t.Errorf("it writes %q", text)
	}
}

func TestPutsWriteAllTheirKeysAtEachLevel(t *testing.T) {
	m := meshtest.New(t, 2, meshtest.Nodes(benchNatives()...))
	client := m.Dial(t)
	for run, level := range commitLevels {
		order := putsOrder{Keys: putsKeys(bench.Draws(1000, 100, 0, 1), run, 4), Text: putsText(run)}
		if err := callPuts(client, level, m.ID(1))(t.Context(), order); err != nil {
			t.Fatalf("%s: %v", level, err)
		}
		for _, key := range order.Keys {
			if text, err := sdk.Register[string](client, key).Get(t.Context()); text != order.Text || err != nil {
				t.Errorf("%s: %s is %q, %v, want %q", level, key, text, err, order.Text)
			}
		}
	}
}
