// Command guest is what the tests of node/exec run in the sandbox: functions
// that behave, and functions that do not.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn"
)

var (
	_ = fn.Export("square", func(_ context.Context, x int) (int, error) { return x * x, nil })
	_ = fn.Export("echo", func(_ context.Context, v mesh.Value) (mesh.Value, error) { return v, nil })
	_ = fn.Export("none", func(context.Context, fn.None) (fn.None, error) { return fn.None{}, nil })
	_ = fn.Export("join", func(_ context.Context, parts fn.Variadic[string]) (string, error) {
		return strings.Join(parts, "+"), nil
	})
	_ = fn.Export("big", func(_ context.Context, n int) ([]byte, error) { return make([]byte, n), nil })

	_ = fn.Export("fail", func(_ context.Context, text string) (int, error) { return 0, errors.New(text) })
	_ = fn.Export("conflict", func(context.Context, fn.None) (int, error) {
		return 0, mesh.Errorf(mesh.Conflict, "guest", "on purpose")
	})
	_ = fn.Export("panic", func(_ context.Context, text string) (int, error) { panic(text) })
	_ = fn.Export("exit", func(_ context.Context, code int) (int, error) { os.Exit(code); return 0, nil })
	_ = fn.Export("spin", func(context.Context, fn.None) (int, error) {
		for {
		}
	})
	_ = fn.Export("hog", func(context.Context, fn.None) (int, error) {
		var all [][]byte
		for {
			all = append(all, make([]byte, 1<<20))
		}
	})
	_ = fn.Export("recurse", func(context.Context, fn.None) (int, error) { return recurse(0), nil })
	_ = fn.Export("deadlock", func(context.Context, fn.None) (int, error) { <-make(chan int); return 0, nil })

	_ = fn.Export("sleep", func(_ context.Context, ms int) (int, error) {
		time.Sleep(time.Duration(ms) * time.Millisecond)
		return ms, nil
	})
	_ = fn.Export("deadline", func(ctx context.Context, _ fn.None) (int64, error) {
		at, _ := ctx.Deadline()
		return time.Until(at).Milliseconds(), nil
	})
	_ = fn.Export("wait", func(ctx context.Context, _ fn.None) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	})
	_ = fn.Export("print", func(_ context.Context, text string) (int, error) {
		fmt.Fprint(os.Stderr, text)
		return fmt.Println(text)
	})
	_ = fn.Export("open", func(context.Context, fn.None) (string, error) {
		text, err := os.ReadFile("/etc/passwd")
		return string(text), err
	})
	_ = fn.ExportInit("counter", newCounter)
	_ = fn.ExportInit("unready", func(context.Context) (func(context.Context, fn.None) (int, error), error) {
		return nil, errors.New("nothing works here")
	})

	_ = fn.Export("put", func(ctx context.Context, args fn.Args2[string, mesh.Value]) (fn.None, error) {
		return fn.None{}, fn.Put(ctx, args.A, args.B)
	})
	_ = fn.Export("get", func(ctx context.Context, key string) (mesh.Value, error) { return fn.Get[mesh.Value](ctx, key) })
	_ = fn.Export("delete", func(ctx context.Context, key string) (fn.None, error) { return fn.None{}, fn.Delete(ctx, key) })
	_ = fn.Export("tags", func(ctx context.Context, tags fn.Variadic[string]) ([]string, error) {
		if err := fn.Add(ctx, "tags", tags...); err != nil {
			return nil, err
		}
		return fn.Get[[]string](ctx, "tags")
	})
	_ = fn.Export("several", func(ctx context.Context, name string) (int, error) {
		if err := errors.Join(fn.Put(ctx, name+"/set", map[string]struct{}{name: {}, "b": {}}), fn.Put(ctx, name+"/n", 5)); err != nil {
			return 0, err
		}
		set, err := fn.Get[map[string]struct{}](ctx, name+"/set")
		if err != nil {
			return 0, err
		}
		got := fn.GetAll[int](ctx, name+"/n", name+"/missing")
		if got[0].Err != nil || !errors.Is(got[1].Err, mesh.NotFound) {
			return 0, errors.Join(errors.New("several keys were read otherwise"), got[0].Err, got[1].Err)
		}
		return len(set) + got[0].Value, fn.Delete(ctx, name+"/n")
	})
	_ = fn.Export("mismatch", func(ctx context.Context, key string) (fn.None, error) {
		return fn.None{}, fn.Update(ctx, key, lattice.GCounterKind, lattice.IncOp(1))
	})
	_ = fn.Export("relay", func(ctx context.Context, args fn.Args2[string, int]) (int, error) {
		return fn.Call[int](ctx, args.A, args.B)
	})
	_ = fn.Export("tally", func(ctx context.Context, args fn.Args3[string, string, int]) (int, error) {
		if err := fn.Inc(ctx, args.A, 1); err != nil {
			return 0, err
		}
		return fn.Call[int](ctx, args.B, args.C)
	})
	_ = fn.Export("start", func(ctx context.Context, args fn.Args2[string, int]) (string, error) {
		future, err := fn.Start[int](ctx, args.A, args.B)
		return future.ID.String(), err
	})
	_ = fn.Export("run-dag", func(ctx context.Context, args fn.Args2[string, int]) (map[string]int, error) {
		return fn.CallDAG[map[string]int](ctx, args.A, fn.StageArgs{"first": {args.B}})
	})
	_ = fn.Export("start-dag", func(ctx context.Context, args fn.Args2[string, int]) (string, error) {
		future, err := fn.StartDAG[map[string]int](ctx, args.A, fn.StageArgs{"first": {args.B}})
		return future.ID.String(), err
	})
	_ = fn.Export("finish", func(ctx context.Context, id string) (int, error) {
		run, err := mesh.ParseRunID(id)
		if err != nil {
			return 0, err
		}
		n, err := fn.FutureOf[int](run).Get(ctx)
		if err != nil {
			return 0, err
		}
		if state, err := fn.FutureOf[int](run).Status(ctx); err != nil || state != mesh.Succeeded {
			return 0, mesh.Errorf(mesh.Internal, "status", "%v, %v", state, err)
		}
		return n, nil
	})
	_ = fn.Export("copy", copyKey)
	_ = fn.Export("measure", func(ctx context.Context, key string) (int64, error) {
		from, _, err := fn.Open(ctx, key)
		if err != nil {
			return 0, err
		}
		return io.Copy(io.Discard, from)
	})
	_ = fn.Export("overtaken", overtaken)
	_ = fn.Export("id", func(ctx context.Context, _ fn.None) (string, error) { return fn.ID(ctx).String(), nil })
	_ = fn.Export("send", func(ctx context.Context, args fn.Args2[string, mesh.Value]) (fn.None, error) {
		to, err := mesh.ParseInvocationID(args.A)
		if err != nil {
			return fn.None{}, err
		}
		return fn.None{}, fn.Send(ctx, to, args.B)
	})
	_ = fn.Export("recv", func(ctx context.Context, count int) ([]string, error) {
		var bodies []string
		for len(bodies) < count {
			messages, err := fn.Recv[string](ctx, time.Second)
			if err != nil {
				return nil, err
			}
			for _, m := range messages {
				bodies = append(bodies, m.Body)
			}
		}
		return bodies, nil
	})
)

func newCounter(context.Context) (func(context.Context, fn.None) (int, error), error) {
	count := 0
	return func(context.Context, fn.None) (int, error) { count++; return count, nil }, nil
}

func recurse(n int) int { return recurse(n+1) + 1 }

func main() {}

// copyKey gives what a key holds, reading and writing a little at a time.
func copyKey(ctx context.Context, key string) (fn.None, error) {
	from, format, err := fn.Open(ctx, key)
	if err != nil {
		return fn.None{}, err
	}
	for piece := make([]byte, 100_000); ; {
		n, err := from.Read(piece)
		if err == io.EOF {
			return fn.None{}, nil
		}
		if err == nil {
			err = fn.Emit(ctx, format, piece[:n])
		}
		if err != nil {
			return fn.None{}, err
		}
	}
}

// overtaken reads the rest of what a key held when it was opened, after it has been written anew.
func overtaken(ctx context.Context, key string) ([]byte, error) {
	from, _, err := fn.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	first := make([]byte, 1)
	if _, err := from.Read(first); err != nil {
		return nil, err
	}
	if err := fn.Put(ctx, key, "other"); err != nil {
		return nil, err
	}
	rest, err := io.ReadAll(from)
	return append(first, rest...), err
}
