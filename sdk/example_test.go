package sdk_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// use runs an example with a client of a real node, and ends that.
func use(example func(ctx context.Context, client *sdk.Client) error, functions ...node.Option) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	m, err := simmesh.Start(ctx, simmesh.Options{Nodes: 1, Provide: func(int) []node.Option { return functions }})
	if err != nil {
		log.Print(err)
		return
	}
	defer m.Close()
	if err := example(ctx, sdk.Attach(m.Node(0))); err != nil {
		fmt.Println(err)
	}
}

// A function is registered under a name, and called by it.
func Example() {
	square := func(_ context.Context, x int) (int, error) { return x * x, nil }
	use(func(ctx context.Context, client *sdk.Client) error {
		four, err := sdk.Func[int, int](client, "square").Call(ctx, 2)
		fmt.Println(four)
		return err
	}, node.Handle("square", square))
	// Output: 4
}

// A DAG hands results from function to function.
func ExampleNewDAG() {
	incr := func(_ context.Context, x int) (int, error) { return x + 1, nil }
	square := func(_ context.Context, x int) (int, error) { return x * x, nil }
	use(func(ctx context.Context, client *sdk.Client) error {
		dag, err := sdk.NewDAG("pipeline").
			Stage("incr", "incr").
			Stage("square", "square", sdk.Timeout(time.Second)).
			Edge("incr", "square").
			Build()
		if err != nil {
			return err
		}
		if err := client.CreateDAG(ctx, dag); err != nil {
			return err
		}
		results, err := client.DAG("pipeline").Call(ctx, sdk.Args{"incr": {1}})
		if err != nil {
			return err
		}
		four, err := sdk.Only[int](results)
		fmt.Println(four)
		return err
	}, node.Handle("incr", incr), node.Handle("square", square))
	// Output: 4
}

// A function that is made first, as a class is: its state is initialised once,
// and stays from call to call.
func ExampleFunc_initialised() {
	construct := func(context.Context) (func(context.Context, int) (int, error), error) {
		fmt.Println("initialised")
		base := 10
		return func(_ context.Context, n int) (int, error) { return base + n, nil }, nil
	}
	use(func(ctx context.Context, client *sdk.Client) error {
		add := sdk.Func[int, int](client, "add")
		for n := range 2 {
			sum, err := add.Call(ctx, n)
			if err != nil {
				return err
			}
			fmt.Println(sum)
		}
		return nil
	}, node.HandleInit("add", construct))
	// Output:
	// initialised
	// 10
	// 11
}

// A future is awaited later, or is an argument of another call.
func ExampleFuture() {
	square := func(_ context.Context, x int) (int, error) { return x * x, nil }
	sum := func(_ context.Context, list []int) (int, error) {
		total := 0
		for _, n := range list {
			total += n
		}
		return total, nil
	}
	use(func(ctx context.Context, client *sdk.Client) error {
		nine, err := sdk.Func[int, int](client, "square").Start(ctx, 3)
		if err != nil {
			return err
		}
		if _, err := sdk.Put(ctx, client, "one", 1); err != nil {
			return err
		}
		ten, err := sdk.Func[[]any, int](client, "sum").Call(ctx, []any{nine, client.Ref("one")})
		if err != nil {
			return err
		}
		got, err := nine.Get(ctx)
		fmt.Println(got, ten)
		return err
	}, node.Handle("square", square), node.Handle("sum", sum))
	// Output: 9 10
}

// Values are put plainly: sets merge, all else is what was written last.
func ExamplePut() {
	use(func(ctx context.Context, client *sdk.Client) error {
		for _, tag := range []string{"red", "blue"} {
			if _, err := sdk.Put(ctx, client, "tags", map[string]struct{}{tag: {}}); err != nil {
				return err
			}
			if _, err := sdk.Put(ctx, client, "last", tag); err != nil {
				return err
			}
		}
		tags, err := sdk.Get[[]string](ctx, client, "tags")
		if err != nil {
			return err
		}
		last, err := sdk.Get[string](ctx, client, "last")
		fmt.Println(len(tags), last)
		return err
	})
	// Output: 2 blue
}

// A function reads and writes state, and calls other functions.
func ExampleFunc_state() {
	square := func(_ context.Context, x int) (int, error) { return x * x, nil }
	remember := func(ctx context.Context, x int) (int, error) {
		y, err := fn.Call[int](ctx, "square", x)
		if err != nil {
			return 0, err
		}
		return y, fn.Put(ctx, "latest", y)
	}
	use(func(ctx context.Context, client *sdk.Client) error {
		if _, err := sdk.Func[int, int](client, "remember").Call(ctx, 5); err != nil {
			return err
		}
		latest, err := sdk.Get[int](ctx, client, "latest")
		fmt.Println(latest)
		return err
	}, node.Handle("square", square), node.Handle("remember", remember))
	// Output: 25
}
