//go:build !wasip1

package worker

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// Main is the main function of a program that exports functions by
// fn.Export. Built for this machine, the program serves them as a worker of
// the mesh that VIRGA_HOME names (default .virga in the current folder)
// until it gets SIGINT or SIGTERM. Built for wasip1 it does nothing: the
// module's exports are what nodes call.
func Main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := serveExports(ctx, cmp.Or(os.Getenv("VIRGA_HOME"), ".virga"))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
}

func serveExports(ctx context.Context, home string) error {
	client, err := sdk.Dial(ctx, sdk.Config{ContextDir: home})
	if err != nil {
		return err
	}
	defer client.Close()
	return Serve(ctx, client, fn.Exported()...)
}
