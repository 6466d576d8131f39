package nemesis

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is what came of a run. Times are in milliseconds.
type Report struct {
	Seed    uint64    `json:"seed"`
	Nodes   int       `json:"nodes"`
	Clients int       `json:"clients"`
	Seconds float64   `json:"seconds"` // of load
	Faults  []Strike  `json:"faults"`
	Skipped []Skipped `json:"skipped,omitempty"`
	Acked   int       `json:"writes_acked"`
	Unknown int       `json:"writes_unknown"` // attempts that were answered by an error
	Runs    int64     `json:"runs"`           // of DAGs, that gave their result
	Reads   int64     `json:"reads"`
	Unseen  int64     `json:"reads_unseen"`     // quorum reads that missed what the reader had written
	Missed  []string  `json:"missed,omitempty"` // what these were, and during which fault
	Lost    int       `json:"lost"`
	// Twice is how many increments were counted twice at least.
	Twice     int `json:"double_counted"`
	Unwritten int `json:"never_written"` // values that nobody wrote
	// Levels are what runs at each level of consistency saw.
	Levels   []LevelReport `json:"levels,omitempty"`
	EqualMS  int64         `json:"equal_ms"` // from the end of the load until all nodes show the same
	Odd      []string      `json:"unexpected_errors,omitempty"`
	Failures []string      `json:"failures,omitempty"` // what kept the run from its end
}

// Strike is one fault that was made.
type Strike struct {
	Fault    string `json:"fault"`
	Node     string `json:"node"`
	Note     string `json:"note,omitempty"`
	LastedMS int64  `json:"lasted_ms"`       // until it was repaired
	OwnedMS  int64  `json:"wait_owned_ms"`   // longest wait of a call for a key that the node owns
	OtherMS  int64  `json:"wait_other_ms"`   // and for any other key
	HealedMS int64  `json:"healed_after_ms"` // from the repair until every node was ready
}

// Skipped is a fault that could not be made here.
type Skipped struct {
	Fault string `json:"fault"`
	Why   string `json:"why"`
}

// LevelReport is what runs at a level of consistency read and wrote, held
// against the level.
type LevelReport struct {
	Level      string `json:"level"`
	Runs       int    `json:"runs"`                // that gave their result, and so are recorded
	Unanswered int    `json:"unanswered"`          // that did not
	Conflicts  int    `json:"conflicts,omitempty"` // that ended with one, and wrote nothing
	Reads      int    `json:"reads"`
	Writes     int    `json:"writes"`
	// Unheard is how many other writes were read: of runs that did not give their
	// result, or of executions that others took the place of.
	Unheard    int         `json:"unheard_writes"`
	Full       bool        `json:"full,omitempty"` // there is no room for more: runs ended early
	Violations int         `json:"violations"`
	Told       []Violation `json:"told,omitempty"` // of these up to 20
}

// Violation is what the level forbids and was seen.
type Violation struct {
	Anomaly string   `json:"anomaly"`
	Events  []string `json:"events"` // that have part in it; the last should not be
}

// Failed reports whether something happened that must never happen.
func (r *Report) Failed() bool {
	for _, level := range r.Levels {
		if level.Violations > 0 {
			return true
		}
	}
	return r.Lost > 0 || r.Twice > 0 || r.Unwritten > 0 || r.Unseen > 0 || len(r.Odd) > 0 || len(r.Failures) > 0
}

// JSON writes the report as one object.
func (r *Report) JSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// Table writes the report for people.
func (r *Report) Table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FAULT\tNODE\tLASTED\tLONGEST WAIT, ITS KEYS\tOTHER KEYS\tHEALED AFTER\t")
	for _, s := range r.Faults {
		line := []string{s.Fault, s.Node, ms(s.LastedMS), ms(s.OwnedMS), ms(s.OtherMS), ms(s.HealedMS), s.Note}
		fmt.Fprintln(t, strings.TrimRight(strings.Join(line, "\t"), "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, s := range r.Skipped {
		fmt.Fprintf(w, "skipped: %s: %s\n", s.Fault, s.Why)
	}
	fmt.Fprintf(w, "\nseed %d, %d nodes, %d clients, %.0f s of load: %d writes acknowledged, %d attempts answered by an error, %d reads, %d runs of DAGs\n",
		r.Seed, r.Nodes, r.Clients, r.Seconds, r.Acked, r.Unknown, r.Reads, r.Runs)
	fmt.Fprintf(w, "all nodes show the same after %s\n", ms(r.EqualMS))
	for _, odd := range r.Odd {
		fmt.Fprintf(w, "unexpected error: %s\n", odd)
	}
	for _, missed := range r.Missed {
		fmt.Fprintf(w, "unseen by a quorum: %s\n", missed)
	}
	for _, level := range r.Levels {
		level.table(w)
	}
	for _, failure := range r.Failures {
		fmt.Fprintf(w, "FAILED: %s\n", failure)
	}
	_, err := fmt.Fprintf(w, "lost: %d   double counted: %d   never written: %d   unseen by a quorum: %d\n", r.Lost, r.Twice, r.Unwritten, r.Unseen)
	return err
}

// table writes a line, and what was found.
func (r *LevelReport) table(w io.Writer) {
	fmt.Fprintf(w, "%s: %d runs of DAGs with a result, and %d without; %d reads and %d writes recorded, %d other writes seen; violations: %d\n",
		r.Level, r.Runs, r.Unanswered, r.Reads, r.Writes, r.Unheard, r.Violations)
	if r.Conflicts > 0 {
		fmt.Fprintf(w, "%s: %d runs ended with a conflict\n", r.Level, r.Conflicts)
	}
	if r.Full {
		fmt.Fprintf(w, "%s: no more runs were made before the end: a history has room for so many reads and writes\n", r.Level)
	}
	for _, v := range r.Told {
		fmt.Fprintf(w, "%s: %s:\n", r.Level, v.Anomaly)
		for _, e := range v.Events {
			fmt.Fprintf(w, "    %s\n", e)
		}
	}
}

func ms(n int64) string { return (time.Duration(n) * time.Millisecond).String() }
