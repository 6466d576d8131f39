// Command nap offers one function, which does nothing for as many
// milliseconds as it is asked to, and tells how many. It shows what a function
// that waits costs: virga fn deploy nap ./examples/nap
package main

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/sdk/fn"
	"github.com/virga-mesh/virga/sdk/worker"
)

var _ = fn.Export("nap", nap)

func nap(ctx context.Context, milliseconds int) (int, error) {
	select {
	case <-time.After(time.Duration(milliseconds) * time.Millisecond):
		return milliseconds, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func main() { worker.Main() }
