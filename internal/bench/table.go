package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Table is counts of what is no latency.
type Table struct {
	Name    string     `json:"name"`
	Columns []string   `json:"columns"`
	Rows    []TableRow `json:"rows"`
}

// TableRow has a count for each column.
type TableRow struct {
	Name   string `json:"name"`
	Counts []int  `json:"counts"`
	// Barred says of each column whether its count is to be 0.
	Barred []bool `json:"barred,omitempty"`
	Note   string `json:"note,omitempty"`
}

// write writes the table for people: counts that are to be 0 in brackets.
func (t Table) write(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, t.Name)
	for _, column := range t.Columns {
		fmt.Fprint(table, "\t", column)
	}
	fmt.Fprintln(table, "\t")
	for _, row := range t.Rows {
		fmt.Fprint(table, row.Name)
		for i, n := range row.Counts {
			if i < len(row.Barred) && row.Barred[i] {
				fmt.Fprintf(table, "\t[%d]", n)
			} else {
				fmt.Fprintf(table, "\t%d", n)
			}
		}
		fmt.Fprintf(table, "\t%s\n", row.Note)
	}
	fmt.Fprintln(table)
	return table.Flush()
}
