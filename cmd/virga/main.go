// Command virga is the command line of Virga. It talks to any node of a mesh
// through package sdk, and starts local meshes. Each command has a file of
// its own.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/virga-mesh/virga/internal/exitcode"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	a := newApp(os.Stdin, os.Stdout, os.Stderr)
	err := rootCommand(a).ExecuteContext(ctx)
	stop()
	if err != nil {
		a.showError(err)
	}
	os.Exit(exitcode.Of(err))
}
