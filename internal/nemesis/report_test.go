package nemesis

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestTheReportFailsOnWhatMustNeverHappen(t *testing.T) {
	for name, r := range map[string]Report{
		"a loss":              {Lost: 1},
		"a double count":      {Twice: 1},
		"what nobody wrote":   {Unwritten: 1},
		"a blind quorum":      {Unseen: 1},
		"an unexpected error": {Odd: []string{"Internal: a defect"}},
		"no end":              {Failures: []string{"n1 is not ready"}},
		"a violation":         {Levels: []LevelReport{{Level: "causal-key"}, {Level: "causal-cut", Violations: 1}}},
	} {
		if !r.Failed() {
			t.Errorf("%s does not fail", name)
		}
	}
	if r := (&Report{Acked: 10, Unknown: 3}); r.Failed() {
		t.Error("a write of which nobody knows how it went fails")
	}
}

func TestTheReportIsATableAndAnObject(t *testing.T) {
	r := Report{
		Seed: 7, Nodes: 5, Clients: 8, Seconds: 61.2, Acked: 1234,
		Faults: []Strike{{Fault: "kill -9", Node: "n3", LastedMS: 1500, OwnedMS: 900, OtherMS: 40, HealedMS: 700}},
		Missed: []string{"k showed [7]: expected 8, acknowledged; pause of n2, healed"},
		Levels: []LevelReport{{
			Level: "causal-key", Runs: 40, Unanswered: 2, Reads: 300, Writes: 90, Full: true, Violations: 1,
			Told: []Violation{{Anomaly: "unwritten read", Events: []string{"7/s1 reads k = v"}}},
		}},
		Skipped: []Skipped{{Fault: "fill the disk", Why: "a small disk needs root"}},
	}
	var table, object bytes.Buffer
	if err := r.Table(&table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"kill -9", "n3", "1.5s", "900ms", "skipped: fill the disk: a small disk needs root", "seed 7", "k showed [7]: expected 8", "1234 writes", "lost: 0",
		"causal-key: 40 runs of DAGs with a result, and 2 without; 300 reads and 90 writes recorded", "no more runs", "unwritten read", "7/s1 reads k = v"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table does not say %q:\n%s", want, &table)
		}
	}
	if err := r.JSON(&object); err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(object.Bytes(), &back); err != nil || back.Acked != 1234 || back.Faults[0] != r.Faults[0] {
		t.Errorf("the object reads back as %+v, %v", back, err)
	}
}
