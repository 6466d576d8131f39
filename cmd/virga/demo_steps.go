package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/virga-mesh/virga/internal/localmesh"
	"github.com/virga-mesh/virga/internal/wasmbuild"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/worker"
)

// show runs the sessions of the README.
func (d *demo) show(ctx context.Context) error {
	for _, part := range []func(context.Context) error{
		d.showFunctions, d.showDAG, d.showErrors, d.showState, d.showWorker, d.showCrash,
	} {
		fmt.Fprintln(d.out)
		if err := part(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintln(d.out)
	return nil
}

func (d *demo) showFunctions(ctx context.Context) error {
	for _, name := range []string{"square", "incr"} {
		err := d.step(ctx, "build and deploy "+name+" as WebAssembly", func(ctx context.Context) (string, error) {
			module, err := wasmbuild.Build(ctx, d.example(name))
			if err != nil {
				return "", err
			}
			info, err := d.client.Deploy(ctx, name, module, sdk.DeployOptions{})
			return fmt.Sprintf("%s, %d KiB", shortVersion(info.Ref.Version), info.Size>>10), err
		})
		if err != nil {
			return err
		}
	}
	if err := d.step(ctx, "call square 2 (the first call compiles the module)", d.callSquare); err != nil {
		return err
	}
	return d.step(ctx, "call square 2, two hundred times more", func(ctx context.Context) (string, error) {
		const calls = 200
		took := make([]time.Duration, 0, calls)
		for range calls {
			start := time.Now()
			if _, err := d.callSquare(ctx); err != nil {
				return "", err
			}
			took = append(took, time.Since(start))
		}
		slices.Sort(took)
		return fmt.Sprintf("p50 %v, p95 %v", rounded(took[calls/2]), rounded(took[calls*95/100])), nil
	})
}

func (d *demo) callSquare(ctx context.Context) (string, error) {
	n, err := sdk.Func[int, int](d.client, "square").Call(ctx, 2)
	return expect(n, 4, err)
}

// expect gives what came as text, or an error that it is not what should have.
func expect[T comparable](got, want T, err error) (string, error) {
	if err == nil && got != want {
		err = mesh.Errorf(mesh.Internal, "", "got %v: expected %v", got, want)
	}
	return fmt.Sprint(got), err
}

func (d *demo) showDAG(ctx context.Context) error {
	err := d.step(ctx, "create dag pipeline: incr -> square", func(ctx context.Context) (string, error) {
		dag, err := buildDAG(d.client.Namespace(), dagCreateOptions{name: "pipeline", edges: []string{"incr:square"}})
		if err != nil {
			return "", err
		}
		return "", d.client.CreateDAG(ctx, dag)
	})
	if err != nil {
		return err
	}
	return d.step(ctx, "call dag pipeline incr=1", d.callPipeline)
}

func (d *demo) callPipeline(ctx context.Context) (string, error) {
	results, err := d.client.DAG("pipeline").Call(ctx, sdk.Args{"incr": {1}})
	if err != nil {
		return "", err
	}
	n, err := sdk.Only[int](results)
	return expect(n, 4, err)
}

func (d *demo) showErrors(ctx context.Context) error {
	err := d.step(ctx, `call square "x"`, func(ctx context.Context) (string, error) {
		_, err := d.client.Call(ctx, "square", "x")
		return expectError(err, mesh.Invalid)
	})
	if err != nil {
		return err
	}
	return d.step(ctx, "call nosuch 1", func(ctx context.Context) (string, error) {
		_, err := d.client.Call(ctx, "nosuch", 1)
		return expectError(err, mesh.NotFound)
	})
}

func expectError(err error, kind mesh.ErrorKind) (string, error) {
	if errors.Is(err, kind) {
		return kind.String(), nil
	}
	return "", mesh.Errorf(mesh.Internal, "", "got %v: expected the error %s", err, kind)
}

func (d *demo) showState(ctx context.Context) error {
	greeting := sdk.Register[string](d.client, "greeting")
	err := d.step(ctx, "put greeting hello (two of three nodes hold it)", func(ctx context.Context) (string, error) {
		return "", greeting.Put(ctx, "hello")
	})
	if err != nil {
		return err
	}
	if err := d.step(ctx, "get greeting", d.getGreeting); err != nil {
		return err
	}
	tags := sdk.Set[string](d.client, "tags")
	err = d.step(ctx, "add a and b to the set tags", func(ctx context.Context) (string, error) {
		if err := errors.Join(tags.Add(ctx, "a"), tags.Add(ctx, "b")); err != nil {
			return "", err
		}
		return d.getTags(ctx)
	})
	if err != nil {
		return err
	}
	return d.step(ctx, "put tags x: it is a set, and stays as it is", func(ctx context.Context) (string, error) {
		return expectError(sdk.Register[string](d.client, "tags").Put(ctx, "x"), mesh.KindMismatch)
	})
}

func (d *demo) getGreeting(ctx context.Context) (string, error) {
	text, err := sdk.Register[string](d.client, "greeting").Get(ctx)
	return expect(text, "hello", err)
}

func (d *demo) getTags(ctx context.Context) (string, error) {
	tags, err := sdk.Set[string](d.client, "tags").All(ctx)
	return expect(strings.Join(tags, " "), "a b", err)
}

func (d *demo) showWorker(ctx context.Context) error {
	return d.step(ctx, "register a closure of this process, call it via the mesh", func(ctx context.Context) (string, error) {
		base := 10
		add := func(_ context.Context, n int) (int, error) { return base + n, nil }
		w, err := worker.Start(ctx, d.client, worker.Handle("add-ten", add))
		if err != nil {
			return "", err
		}
		n, err := sdk.Func[int, int](d.client, "add-ten").Call(ctx, 5)
		if err := errors.Join(err, w.Stop()); err != nil {
			return "", err
		}
		return expect(n, 15, nil)
	})
}

// showCrash kills the node that the client is connected to.
func (d *demo) showCrash(ctx context.Context) error {
	victim, err := d.connectedNode(ctx)
	if err != nil {
		return err
	}
	err = d.step(ctx, "kill -9 the node that this client is connected to", func(context.Context) (string, error) {
		return fmt.Sprintf("%s, pid %d", victim.Name, victim.PID), victim.Kill()
	})
	if err != nil {
		return err
	}
	for _, again := range []struct {
		what string
		do   func(context.Context) (string, error)
	}{
		{"get greeting, from another node", d.getGreeting},
		{"get tags", d.getTags},
		{"put greeting hello", func(ctx context.Context) (string, error) {
			return "", sdk.Register[string](d.client, "greeting").Put(ctx, "hello")
		}},
		{"call square 2 (this node compiles the module first)", d.callSquare},
		{"call dag pipeline incr=1 (likewise)", d.callPipeline},
		{"call dag pipeline incr=1", d.callPipeline},
	} {
		if err := d.step(ctx, again.what, again.do); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) connectedNode(ctx context.Context) (localmesh.Node, error) {
	status, err := d.client.Status(ctx)
	if err != nil {
		return localmesh.Node{}, err
	}
	for _, n := range d.nodes {
		if slices.Contains(status.Addrs, n.Addr) {
			return n, nil
		}
	}
	return localmesh.Node{}, mesh.Errorf(mesh.Internal, "demo", "no node is at %v", status.Addrs)
}
