package bench

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

func sampleOf(t *testing.T, callers int) Sample {
	t.Helper()
	sample, err := Load{Callers: callers, Measure: time.Millisecond}.Run(t.Context(), func(context.Context, int) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return sample
}

func TestRowsAreComparedWithTheFloorOfAsManyCallers(t *testing.T) {
	sample := sampleOf(t, 2)
	var report Report
	report.SetFloor(sample)
	same := report.Add("same", sample)
	if same.P50Ratio != 1 || same.RateRatio != 1 {
		t.Errorf("a sample compared with itself: %+v", same)
	}
	if other := report.Add("other", sampleOf(t, 1)); other.P50Ratio != 0 || other.RateRatio != 0 {
		t.Errorf("compared with a floor of other callers: %+v", other)
	}
	if found, ok := report.Row("same", 2); !ok || found != same {
		t.Errorf("Row = %+v, %v", found, ok)
	}
	if _, ok := report.Row("same", 1); ok {
		t.Error("Row found a row of other callers")
	}
	counted := sample
	counted.Counted, counted.Allocs = true, 2
	var table strings.Builder
	if err := report.Add("counted", counted).Write(&table); err != nil || !strings.Contains(table.String(), "1.00  2.00 allocations") {
		t.Errorf("%q, %v", table.String(), err)
	}
}

func TestGoals(t *testing.T) {
	report := Report{Goals: []Goal{
		{What: "latency", Unit: "µs", Limit: 10, Value: 10, Measured: true},
		{What: "slow", Unit: "µs", Limit: 10, Value: 10.1, Measured: true},
		{What: "rate", Unit: "x", Limit: 0.6, AtLeast: true, Value: 0.5, Measured: true},
		{What: "fast", Unit: "x", Limit: 0.6, AtLeast: true, Value: 0.7, Measured: true},
		{What: "unknown", Unit: "x", Limit: 1},
	}}
	var text strings.Builder
	if err := report.WriteGoals(&text); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(text.String(), "\n")
	for i, verdict := range []string{"reached", "missed", "missed", "reached"} {
		if !strings.Contains(lines[i+1], verdict) {
			t.Errorf("%q is not %s", lines[i+1], verdict)
		}
	}
	if strings.Contains(text.String(), "unknown") {
		t.Error("a goal that was not measured is shown")
	}
	encoded, err := json.Marshal(&report)
	if err != nil {
		t.Fatal(err)
	}
	var decoded struct {
		Machine string
		Goals   []struct{ Reached, Measured bool }
	}
	if err := json.Unmarshal(encoded, &decoded); err != nil || decoded.Machine == "" {
		t.Fatalf("%s: %v", encoded, err)
	}
	for i, want := range []bool{true, false, false, true, false} {
		if decoded.Goals[i].Reached != want {
			t.Errorf("goal %d: reached is %v in %s", i, !want, encoded)
		}
	}
}

func TestSlope(t *testing.T) {
	for _, c := range []struct {
		x, y []float64
		want float64
	}{
		{[]float64{1, 2, 4, 8}, []float64{5, 7, 11, 19}, 2},
		{[]float64{1, 2, 3}, []float64{1, 3, 2}, 0.5},
		{[]float64{3, 3}, []float64{1, 9}, 0},
		{nil, nil, 0},
	} {
		if got := Slope(c.x, c.y); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("Slope(%v, %v) = %v, want %v", c.x, c.y, got, c.want)
		}
	}
}
