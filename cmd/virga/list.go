package main

import (
	"fmt"
	"io"

	"github.com/spf13/pflag"
)

// listOptions are those of the lists of functions and DAGs.
type listOptions struct {
	prefix string
	limit  int
	after  string
}

func (o *listOptions) addFlags(flags *pflag.FlagSet) {
	flags.IntVar(&o.limit, "limit", 0, "list so many at most (default: all)")
	flags.StringVar(&o.after, "after", "", "list what comes after this name, the last of an earlier list")
}

func (o listOptions) validate() error {
	if o.limit < 0 {
		return usagef("--limit %d: expected at least 0", o.limit)
	}
	return nil
}

// full reports whether n are as many as are to be listed.
func (o listOptions) full(n int) bool { return o.limit > 0 && n >= o.limit }

// writeMore says that there is more, and how to get it.
func writeMore(w io.Writer, last string) {
	fmt.Fprintf(w, "there are more: --after %s\n", last)
}
