// Command incr offers one function, which adds one to a number. It is the
// first stage of the pipeline in the README.
package main

import (
	"context"

	"github.com/virga-mesh/virga/sdk/fn"
	"github.com/virga-mesh/virga/sdk/worker"
)

var _ = fn.Export("incr", incr)

func incr(_ context.Context, x int) (int, error) { return x + 1, nil }

func main() { worker.Main() }
