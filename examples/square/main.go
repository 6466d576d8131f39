// Command square offers one function, which squares a number. It runs as a
// WebAssembly module (virga fn deploy square ./examples/square) and as a
// worker (go run ./examples/square).
package main

import (
	"context"

	"github.com/virga-mesh/virga/sdk/fn"
	"github.com/virga-mesh/virga/sdk/worker"
)

var _ = fn.Export("square", square)

func square(_ context.Context, x int) (int, error) { return x * x, nil }

func main() { worker.Main() }
