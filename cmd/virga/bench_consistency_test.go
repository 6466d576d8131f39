package main

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/bench"
	"github.com/virga-mesh/virga/internal/check"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/meshtest"
)

// testBenchConsistency measures all levels on few keys, and looks for anomalies under each.
func testBenchConsistency(t *testing.T, program string) {
	report := benchReportOf(t, program, consistencySuite, "--keys", "200", "--runs", "10", "--run-callers", "2", "--commit-runs", "0", "--audit-runs", "60")
	for _, level := range mesh.Levels() {
		if !slices.ContainsFunc(report.Rows, func(r bench.Row) bool {
			return r.Name == levelCase(level) && r.N == turnBlock && r.Callers == 2 && r.PerSec > 0 && r.P99US >= r.P50US && r.P50US > 0
		}) {
			t.Errorf("%s was not measured", level)
		}
	}
	if len(report.Notes) != 3 || !strings.Contains(report.Notes[0], "200 keys of 8 B with 3 owner(s)") || !strings.Contains(report.Notes[1], "of seed 1") || !strings.Contains(report.Notes[2], "runs at transactional ended with a conflict") {
		t.Errorf("the notes are %q", report.Notes)
	}
	for _, goal := range report.Goals {
		if strings.HasPrefix(goal.What, "DAGs under") && !goal.Measured {
			t.Errorf("not measured: %s", goal.What)
		}
	}
	report = benchReportOf(t, program, consistencySuite, "--only", levelCase(mesh.Repeatable),
		"--keys", "200", "--runs", "1", "--audit-runs", "100", "--audit-keys", "5", "--replicas", "3")
	if len(report.Tables) != 1 || !slices.Equal(report.Tables[0].Columns, []string{"repeatable"}) || len(report.Tables[0].Rows) != len(check.Anomalies()) {
		t.Errorf("the table of anomalies is %+v", report.Tables)
	}
}

func TestWhatIsWovenIsDrawnFromASeed(t *testing.T) {
	nodes := []mesh.NodeID{"a", "b", "c"}
	w := newWeaving(7, nodes)
	if !reflect.DeepEqual(w, newWeaving(7, nodes)) || reflect.DeepEqual(w, newWeaving(8, nodes)) {
		t.Error("seeds do not tell what is drawn")
	}
	w.draws = bench.Draws(1000, 100, weaveExponent, 7)
	sizes, depths, places := map[int]int{}, map[int]int{}, map[mesh.NodeID]int{}
	for run, d := range w.dags {
		dag := d.dag(nativeWeave)
		dag.Namespace = mesh.DefaultNamespace
		if err := dag.Validate(); err != nil {
			t.Fatal(err)
		}
		last := len(d.parents) - 1
		if before := dag.Earlier(weaveStage(last)); len(before) != last {
			t.Errorf("DAG %d: %v come before its sink, of %d stages", run, before, last+1)
		}
		for stage, order := range w.orders(d, run, 0, annaKey) {
			if texts := len(d.parents[stage]) + len(order.Refs) + len(order.Get); texts != weaveTexts || (order.Put != "") != (stage == last) {
				t.Errorf("DAG %d, stage %d gets %d texts, and writes %q", run, stage, texts, order.Put)
			}
		}
		sizes[last+1]++
		depths[d.depth]++
		for _, node := range d.place {
			places[node]++
		}
	}
	if len(w.dags) != weaveDAGs || len(sizes) != maxWeaveStages-1 || len(depths) != maxWeaveStages-1 || len(places) != len(nodes) {
		t.Errorf("%d DAGs of sizes %v and depths %v, at %v", len(w.dags), sizes, depths, places)
	}
}

func TestTheDepthIsThatOfTheLongestPath(t *testing.T) {
	for _, d := range newWeaving(1, []mesh.NodeID{"a"}).dags {
		var longest func(stage int) int
		longest = func(stage int) (n int) {
			for _, parent := range d.parents[stage] {
				n = max(n, longest(parent))
			}
			return n + 1
		}
		if want := longest(len(d.parents) - 1); d.depth != want {
			t.Errorf("DAG %v has depth %d, want %d", d.parents, d.depth, want)
		}
	}
}

// Runs on a real mesh tell all that they read and write, once.
func TestWitnessesTellWhatTheirRunsReadAndWrote(t *testing.T) {
	const keys, runs = 5, 30
	m := meshtest.New(t, 2, meshtest.Nodes(benchNatives()...))
	w := newWeaving(3, []mesh.NodeID{m.ID(0), m.ID(1)})
	w.draws = bench.Draws(1000, keys, weaveExponent, 3)
	h, client := &auditHistory{}, m.Dial(t)
	for i := range keys {
		if err := sdk.Register[string](client, annaKey(i)).Put(t.Context(), "at first"); err != nil {
			t.Fatal(err)
		}
		h.note(check.Event{Session: "fill", Key: annaKey(i), Writes: true, Acked: true, Version: "at first", Began: 1, Ended: 2})
	}
	want := keys
	for run := range runs {
		d := w.dags[run]
		if err := client.CreateDAG(t.Context(), d.dag(nativeWitness)); err != nil {
			t.Fatal(err)
		}
		if err := h.run(t.Context(), client, w, mesh.Repeatable, run, annaKey); err != nil {
			t.Fatal(err)
		}
		for _, order := range w.orders(d, run, auditReads, annaKey) {
			want += len(order.Refs) + len(order.Get)
		}
		want++
	}
	if err := h.final(t.Context(), client, keys, annaKey); err != nil {
		t.Fatal(err)
	}
	if want += keys; len(h.events) != want {
		t.Errorf("%d events, want %d", len(h.events), want)
	}
	a, err := auditOf(mesh.Repeatable, h.events)
	if err != nil || len(a.barred) > 0 {
		t.Errorf("%v, %v", a.barred, err)
	}
}

func TestTheFirstViolationOfALevelIsTold(t *testing.T) {
	events := []check.Event{
		{Session: "a", Key: "x", Writes: true, Acked: true, Version: "1", Began: 1, Ended: 2},
		{Run: "r", Stage: "s0", Key: "x", Version: "1", Began: 3, Ended: 4},
		{Session: "a", Key: "x", Writes: true, Acked: true, Version: "2", Began: 5, Ended: 6},
		{Run: "r", Stage: "s1", Key: "x", Version: "2", Began: 7, Ended: 8},
	}
	b := &benchRun{}
	for _, level := range []mesh.Consistency{mesh.Eventual, mesh.CausalSession} {
		a, err := auditOf(level, events)
		if err != nil || a.counts[check.NonRepeatable] != 1 {
			t.Errorf("%v, %v", a, err)
		}
		if b.audits = append(b.audits, a); b.violated() != nil {
			t.Errorf("%v is said to forbid what it does not: %v", level, b.violated())
		}
	}
	a, err := auditOf(mesh.Repeatable, events)
	if b.audits = append(b.audits, a); err != nil || !errors.Is(b.violated(), mesh.Internal) || !strings.Contains(b.violated().Error(), "r/s1 reads x = 2") {
		t.Errorf("%v, %v", b.violated(), err)
	}
	for _, row := range auditTable(b.audits, 1).Rows {
		if row.Name == check.NonRepeatable.String() && (fmt.Sprint(row.Counts) != "[1 1 1]" || fmt.Sprint(row.Barred) != "[false false true]") {
			t.Errorf("the table has %+v", row)
		}
	}
	goals := b.consistencyGoals()
	if last := goals[len(goals)-1]; last.Value != 1 || last.Reached() {
		t.Errorf("the goal is %+v", last)
	}
}

func TestALevelIsComparedWithTheOneWhoseOrderItKeeps(t *testing.T) {
	b := &benchRun{}
	b.runCallers = 1
	for level, took := range map[mesh.Consistency]time.Duration{mesh.Eventual: 1, mesh.CausalSession: 2, mesh.Transactional: 5} {
		s := bench.SampleOf(took * time.Millisecond)
		s.Callers = 1
		b.report.AddAlone(levelCase(level), s)
	}
	median := func(r bench.Row) float64 { return r.P50US }
	for _, c := range []struct {
		level, to mesh.Consistency
		want      float64
	}{{mesh.CausalSession, mesh.Eventual, 2}, {mesh.Transactional, mesh.CausalSession, 2.5}} {
		goal := b.levelRatio(c.level, c.to, "p50", 1.3, median)
		if !goal.Measured || math.Abs(goal.Value-c.want) > 0.01 || goal.Unit != "x "+c.to.String() || goal.Limit != 1.3 {
			t.Errorf("%s: the goal is %+v", c.level, goal)
		}
	}
}

func TestEachKindOfAnomalyTellsWhatPreventsIt(t *testing.T) {
	told := map[string]bool{}
	for _, kind := range check.Anomalies() {
		by := strings.TrimSuffix(preventedBy(kind), ", "+mesh.Transactional.String()) // where runs are made at that
		told[strings.ReplaceAll(by, "by "+mesh.Transactional.String(), "by no level")] = true
	}
	want := []string{
		"prevented by all levels", "prevented by causal-cut, causal-session", "prevented by causal-key, causal-session",
		"prevented by causal-session", "prevented by no level", "prevented by repeatable",
	}
	if got := slices.Sorted(maps.Keys(told)); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
