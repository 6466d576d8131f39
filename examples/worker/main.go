// Command worker registers a closure with a running mesh and calls it through
// the mesh. Start a mesh first:
//
//	virga up
//	go run ./examples/worker
package main

import (
	"cmp"
	"context"
	"fmt"
	"log"
	"os"

	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/worker"
)

func main() {
	if err := run(context.Background(), cmp.Or(os.Getenv("VIRGA_HOME"), ".virga")); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, home string) error {
	client, err := sdk.Dial(ctx, sdk.Config{ContextDir: home})
	if err != nil {
		return err
	}
	defer client.Close()

	calls := 0 // what the closure captures lives here, in this process
	cube := func(_ context.Context, n int) (int, error) {
		calls++
		return n * n * n, nil
	}
	w, err := worker.Start(ctx, client, worker.Handle("cube", cube))
	if err != nil {
		return err
	}
	defer w.Stop()

	result, err := sdk.Func[int, int](client, "cube").Call(ctx, 3)
	if err != nil {
		return err
	}
	fmt.Printf("cube(3) = %d, computed here in call %d\n", result, calls)
	return nil
}
