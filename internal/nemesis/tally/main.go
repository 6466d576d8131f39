// Command tally is the functions of the runs that package nemesis makes. Two
// count on a counter of the store, so that an execution that was one too many
// or too few shows; one tells what it read and wrote.
package main

import (
	"context"

	"github.com/virga-mesh/virga/internal/nemesis/witness"
	"github.com/virga-mesh/virga/sdk/fn"
	"github.com/virga-mesh/virga/sdk/worker"
)

var (
	_ = fn.Export("tally", tally)
	_ = fn.Export("tally-both", tallyBoth)
	_ = fn.Export("witness", witness.Do)
)

// tally counts one on the counter, and gives the number after n.
func tally(ctx context.Context, in fn.Args2[string, int]) (int, error) {
	return in.B + 1, fn.Inc(ctx, in.A, 1)
}

// tallyBoth counts one on the counter, and gives the number after the sum of two.
func tallyBoth(ctx context.Context, in fn.Args3[string, int, int]) (int, error) {
	return in.B + in.C + 1, fn.Inc(ctx, in.A, 1)
}

func main() { worker.Main() }
