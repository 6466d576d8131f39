package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Goal is a figure that is to be reached.
type Goal struct {
	What     string  `json:"what"`
	Unit     string  `json:"unit"`  // of Limit and Value
	Limit    float64 `json:"limit"` // the most, or with AtLeast the least
	AtLeast  bool    `json:"at_least,omitempty"`
	Value    float64 `json:"value"` // 0 unless Measured
	Measured bool    `json:"measured"`
	Note     string  `json:"note,omitempty"`
}

// Reached reports whether the goal was measured and met.
func (g Goal) Reached() bool {
	if g.AtLeast {
		return g.Measured && g.Value >= g.Limit
	}
	return g.Measured && g.Value <= g.Limit
}

func (g Goal) verdict() string {
	if g.Reached() {
		return "reached"
	}
	return "missed"
}

// writeGoals writes the goals that were measured for people.
func writeGoals(w io.Writer, goals []Goal) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "what it must reach\texpected\tmeasured\t\t")
	for _, g := range goals {
		if !g.Measured {
			continue
		}
		bound := "at most"
		if g.AtLeast {
			bound = "at least"
		}
		fmt.Fprintf(table, "%s\t%s %g %s\t%.2f\t%s\t%s\n", g.What, bound, g.Limit, g.Unit, g.Value, g.verdict(), g.Note)
	}
	return table.Flush()
}
