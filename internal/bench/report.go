package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Row is one line of a report.
type Row struct {
	Name    string  `json:"name"`
	Callers int     `json:"callers"`
	N       int64   `json:"n"`
	PerSec  float64 `json:"per_second"`
	MeanUS  float64 `json:"mean_us"`
	MinUS   float64 `json:"min_us"`
	MaxUS   float64 `json:"max_us"`
	P1US    float64 `json:"p1_us"`
	P5US    float64 `json:"p5_us"`
	P25US   float64 `json:"p25_us"`
	P50US   float64 `json:"p50_us"`
	P75US   float64 `json:"p75_us"`
	P95US   float64 `json:"p95_us"`
	P99US   float64 `json:"p99_us"`
	// P50Ratio and RateRatio compare with the floor of the same number of callers; 0 where there is none.
	P50Ratio  float64 `json:"p50_ratio,omitempty"`
	RateRatio float64 `json:"rate_ratio,omitempty"`
	Note      string  `json:"note,omitempty"`
}

// Report collects rows and compares each with the floor measured in the same run.
type Report struct {
	floors map[int]Sample
	rows   []Row
}

// NewReport compares with floors, which are keyed by the number of callers.
func NewReport(floors map[int]Sample) *Report { return &Report{floors: floors} }

// Add appends a sample under a name.
func (r *Report) Add(name string, s Sample, note string) Row {
	row := Row{
		Name: name, Callers: s.Callers, N: s.N(), PerSec: s.Throughput(),
		MeanUS: micros(s.Mean()), MinUS: micros(s.Min()), MaxUS: micros(s.Max()),
		P1US: micros(s.Percentile(1)), P5US: micros(s.Percentile(5)), P25US: micros(s.Percentile(25)),
		P50US: micros(s.Percentile(50)), P75US: micros(s.Percentile(75)),
		P95US: micros(s.Percentile(95)), P99US: micros(s.Percentile(99)), Note: note,
	}
	if floor, ok := r.floors[s.Callers]; ok {
		row.P50Ratio = row.P50US / micros(floor.Percentile(50))
		row.RateRatio = row.PerSec / floor.Throughput()
	}
	r.rows = append(r.rows, row)
	return row
}

// Rows are the lines so far, in the order of Add.
func (r *Report) Rows() []Row { return r.rows }

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// WriteTable writes the report for people. Times are in microseconds.
func (r *Report) WriteTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "what\tcallers\tn\tper second\tp50 µs\tp95 µs\tp99 µs\tp50/floor\trate/floor\t")
	for _, row := range r.rows {
		fmt.Fprintf(table, "%s\t%d\t%d\t%.0f\t%.1f\t%.1f\t%.1f\t%s\t%s\t\n", row.Name, row.Callers, row.N, row.PerSec,
			row.P50US, row.P95US, row.P99US, ratio(row.P50Ratio), ratio(row.RateRatio))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, row := range r.rows {
		if row.Note != "" {
			fmt.Fprintf(w, "%s: %s\n", row.Name, row.Note)
		}
	}
	return nil
}

func ratio(x float64) string {
	if x == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", x)
}

// WriteJSON writes the report as one JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(map[string]any{"rows": r.rows})
}
