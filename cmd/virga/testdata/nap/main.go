// Command nap offers one function, which takes a while: it is given how many
// milliseconds, and gives them back.
package main

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/sdk/fn"
	"github.com/virga-mesh/virga/sdk/worker"
)

var _ = fn.Export("nap", nap)

func nap(_ context.Context, ms int) (int, error) {
	time.Sleep(time.Duration(ms) * time.Millisecond)
	return ms, nil
}

func main() { worker.Main() }
