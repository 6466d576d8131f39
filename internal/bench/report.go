package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"time"
)

// Row is one line of a report.
type Row struct {
	Name    string  `json:"name"`
	Callers int     `json:"callers"`
	N       int64   `json:"n"`
	PerSec  float64 `json:"per_second"`
	MinUS   float64 `json:"min_us"`
	MeanUS  float64 `json:"mean_us"`
	P1US    float64 `json:"p1_us"`
	P5US    float64 `json:"p5_us"`
	P25US   float64 `json:"p25_us"`
	P50US   float64 `json:"p50_us"`
	P75US   float64 `json:"p75_us"`
	P95US   float64 `json:"p95_us"`
	P99US   float64 `json:"p99_us"`
	MaxUS   float64 `json:"max_us"`
	// P50Ratio and RateRatio compare with the latest floor of the same number
	// of callers, whose p50 is FloorUS; 0 where there is none.
	P50Ratio  float64 `json:"p50_ratio,omitempty"`
	RateRatio float64 `json:"rate_ratio,omitempty"`
	FloorUS   float64 `json:"floor_p50_us,omitempty"`
	// Allocs is how often the process allocated for each operation, where that was counted.
	Allocs *float64 `json:"allocs,omitempty"`
	// Failures are the attempts that failed and were made again; their time is
	// part of the latencies.
	Failures int64 `json:"failures,omitempty"`
	// Violations are how often operations saw what they were never to see, where that was counted.
	Violations *int64 `json:"violations,omitempty"`
}

// Report collects rows, and compares each with a floor measured in the same run.
type Report struct {
	Goals  []Goal
	Tables []Table
	Notes  []string // what the figures are of, where rows do not tell
	rows   []Row
	floors map[int]Row
}

// SetFloor makes a sample what the rows that follow, with as many callers,
// are compared to.
func (r *Report) SetFloor(s Sample) {
	if r.floors == nil {
		r.floors = map[int]Row{}
	}
	r.floors[s.Callers] = newRow("", s)
}

// Add appends a sample under a name.
func (r *Report) Add(name string, s Sample) Row {
	row := newRow(name, s)
	if floor, ok := r.floors[row.Callers]; ok {
		row.P50Ratio, row.RateRatio, row.FloorUS = Ratio(row.P50US, floor.P50US), Ratio(row.PerSec, floor.PerSec), floor.P50US
	}
	r.rows = append(r.rows, row)
	return row
}

// AddAlone appends a sample that no floor is of use for.
func (r *Report) AddAlone(name string, s Sample) Row {
	row := newRow(name, s)
	r.rows = append(r.rows, row)
	return row
}

// Row finds the first row with a name and a number of callers.
func (r *Report) Row(name string, callers int) (Row, bool) {
	for _, row := range r.rows {
		if row.Name == name && row.Callers == callers {
			return row, true
		}
	}
	return Row{}, false
}

func newRow(name string, s Sample) Row {
	row := Row{
		Name: name, Callers: s.Callers, N: s.N(), PerSec: s.Throughput(),
		MinUS: micros(s.Min()), MeanUS: micros(s.Mean()), P50US: micros(s.Percentile(50)),
		P1US: micros(s.Percentile(1)), P5US: micros(s.Percentile(5)), P25US: micros(s.Percentile(25)), P75US: micros(s.Percentile(75)),
		P95US: micros(s.Percentile(95)), P99US: micros(s.Percentile(99)), MaxUS: micros(s.Max()),
	}
	row.Failures, row.Violations = s.Failures, s.Violations
	if s.Counted {
		row.Allocs = &s.Allocs
	}
	return row
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// The columns of the table for people: fixed, so that rows can be written as
// they are measured.
const (
	headerFormat = "%-30s %7s %9s %10s %9s %9s %9s %9s %9s%s\n"
	rowFormat    = "%-30s %7d %9d %10.0f %9s %9s %9s %9s %9s%s\n"
)

// WriteHeader writes the first line of the table for people.
func WriteHeader(w io.Writer) error {
	_, err := fmt.Fprintf(w, headerFormat, "", "callers", "n", "per second", "p50 µs", "p95 µs", "p99 µs", "p50/floor", "rate/floor", "")
	return err
}

// Write writes the row as a line of the table for people.
func (r Row) Write(w io.Writer) error {
	note := ""
	if r.Allocs != nil {
		note = fmt.Sprintf("  %.2f allocations", *r.Allocs)
	}
	if r.Failures > 0 {
		note += fmt.Sprintf("  %d failed attempts", r.Failures)
	}
	if r.Violations != nil {
		note += fmt.Sprintf("  %d violations", *r.Violations)
	}
	_, err := fmt.Fprintf(w, rowFormat, r.Name, r.Callers, r.N, r.PerSec, short(r.P50US), short(r.P95US), short(r.P99US),
		ratio(r.P50Ratio), ratio(r.RateRatio), note)
	return err
}

// WriteFigures writes, under its line, the other figures of the row: with it
// those that Cloudburst's benchmarks print.
func (r Row) WriteFigures(w io.Writer) error {
	_, err := fmt.Fprintf(w, "    mean %s  min %s  p1 %s  p5 %s  p25 %s  median %s  p75 %s  max %s\n", short(r.MeanUS), short(r.MinUS),
		short(r.P1US), short(r.P5US), short(r.P25US), short(r.P50US), short(r.P75US), short(r.MaxUS))
	return err
}

// short keeps about three digits of a figure.
func short(micros float64) string {
	if micros < 10 {
		return fmt.Sprintf("%.2f", micros)
	}
	return fmt.Sprintf("%.0f", micros)
}

func ratio(x float64) string {
	if x == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", x)
}

// WriteGoals writes, for people, which goals were reached.
func (r *Report) WriteGoals(w io.Writer) error { return writeGoals(w, r.Goals) }

// WriteTables writes, for people, what was counted.
func (r *Report) WriteTables(w io.Writer) error {
	for _, t := range r.Tables {
		if err := t.write(w); err != nil {
			return err
		}
	}
	return nil
}

// MarshalJSON gives notes, rows, tables, goals, and what machine they were measured on.
func (r *Report) MarshalJSON() ([]byte, error) {
	type goal struct {
		Goal
		Reached bool `json:"reached"`
	}
	goals := make([]goal, len(r.Goals))
	for i, g := range r.Goals {
		goals[i] = goal{g, g.Reached()}
	}
	return json.Marshal(struct {
		Machine string   `json:"machine"`
		Notes   []string `json:"notes,omitempty"`
		Rows    []Row    `json:"rows"`
		Tables  []Table  `json:"tables,omitempty"`
		Goals   []goal   `json:"goals"`
	}{Machine(), r.Notes, r.rows, r.Tables, goals})
}

// Machine tells what the figures were measured on.
func Machine() string {
	return fmt.Sprintf("%s/%s, %d CPUs, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
}
