package sdk_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

func TestFunctions(t *testing.T) {
	onBothWays(t, func(t *testing.T, client *sdk.Client) {
		ctx, client := t.Context(), client.In(mesh.DefaultNamespace)
		four, err := sdk.Func[int, int](client, "square").Call(ctx, 2)
		want(t, four, err, 4)
		six, err := sdk.Func[fn.Variadic[int], int](client, "sum").Call(ctx, fn.Variadic[int]{1, 2, 3})
		want(t, six, err, 6)
		_, err = sdk.Func[string, int](client, "square").Call(ctx, "x")
		wantKind(t, err, mesh.Invalid)
		_, err = sdk.Func[int, string](client, "square").Call(ctx, 2)
		wantKind(t, err, mesh.Invalid)
		_, err = client.Call(ctx, "nosuch", 1)
		wantKind(t, err, mesh.NotFound)
		_, err = client.Call(ctx, "no such", 1)
		wantKind(t, err, mesh.Invalid)
		_, err = client.Call(ctx, "square", make(chan int))
		wantKind(t, err, mesh.Invalid)
		_, err = sdk.Func[fn.None, fn.None](client, "fail").Call(ctx, fn.None{})
		wantKind(t, err, mesh.UserError)
		if err == nil || !strings.Contains(err.Error(), "no luck") {
			t.Errorf("%v does not carry the function's words", err)
		}
	})
}

func TestAReferenceIsReadWhereTheFunctionRuns(t *testing.T) {
	onBothWays(t, func(t *testing.T, client *sdk.Client) {
		ctx, client := t.Context(), client.In(mesh.DefaultNamespace)
		if err := sdk.Register[int](client, "three").Put(ctx, 3); err != nil {
			t.Fatal(err)
		}
		nine, err := sdk.Func[sdk.Ref, int](client, "square").Call(ctx, client.Ref("three"))
		want(t, nine, err, 9)
		seven, err := sdk.Func[fn.Variadic[any], int](client, "sum").Call(ctx, fn.Variadic[any]{client.Ref("three"), 4})
		want(t, seven, err, 7)
		_, err = client.Call(ctx, "square", client.Ref("missing"))
		wantKind(t, err, mesh.NotFound)
	})
}

func TestDAGs(t *testing.T) {
	onBothWays(t, func(t *testing.T, client *sdk.Client) {
		ctx, client := t.Context(), client.In(mesh.DefaultNamespace)
		ref := func(name string) mesh.FuncRef {
			return mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: name}
		}
		name := "diamond-" + mesh.NewRunID().String()[:8]
		diamond := &mesh.DAG{
			Name: name,
			Stages: []mesh.Stage{
				{Name: "a", Func: ref("square")}, {Name: "b", Func: ref("square")}, {Name: "c", Func: ref("sum")}, {Name: "d", Func: ref("square")},
			},
			Edges: []mesh.Edge{{From: "a", To: "b"}, {From: "a", To: "c"}, {From: "b", To: "c"}, {From: "a", To: "d"}},
		}
		if err := client.CreateDAG(ctx, diamond); err != nil {
			t.Fatal(err)
		}
		results, err := client.DAG(name).Call(ctx, sdk.Args{"a": {2}, "c": {100}})
		if err != nil {
			t.Fatal(err)
		}
		c, err := sdk.Result[int](results, "c")
		want(t, c, err, 100+4+16)
		d, err := sdk.Result[int](results, "d")
		want(t, d, err, 16)
		_, err = sdk.Result[int](results, "a")
		wantKind(t, err, mesh.NotFound)
		_, err = sdk.Only[int](results)
		wantKind(t, err, mesh.Invalid)

		plan, err := client.DAG(name).Plan(ctx, sdk.Args{"a": {2}})
		if err != nil || len(plan) != 4 || plan[0].Node == "" || plan[0].Why == "" {
			t.Errorf("Plan = %+v, %v", plan, err)
		}
		_, err = client.DAG(name).Call(ctx, sdk.Args{"a": {make(chan int)}})
		wantKind(t, err, mesh.Invalid)
		_, err = client.DAG(name).Call(ctx, sdk.Args{"a": {"x"}})
		wantKind(t, err, mesh.Invalid)
		if e := mesh.AsError("", err); e.Stage != "a" {
			t.Errorf("%v does not name its stage", err)
		}
		listed := 0
		for dag, err := range client.ListDAGs(ctx, name) {
			if err != nil || dag.Name != name {
				t.Errorf("listed %+v, %v", dag, err)
			}
			listed++
		}
		want(t, listed, nil, 1)
		if err := client.DeleteDAG(ctx, name); err != nil {
			t.Error(err)
		}
		_, err = client.GetDAG(ctx, name)
		wantKind(t, err, mesh.NotFound)
	})
}

func TestFutures(t *testing.T) {
	release := make(chan struct{})
	block := func(ctx context.Context, n int) (int, error) {
		select {
		case <-release:
			return n, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	m := startMesh(t, 2, node.Handle("block", block))
	client, other := m.dial(admission.AllVerbs), m.dial(admission.AllVerbs)
	ctx := t.Context()

	future, err := sdk.Func[int, int](client, "block").Start(ctx, 7)
	if err != nil {
		t.Fatal(err)
	}
	status, err := future.Status(ctx)
	if err != nil || status.State != mesh.Running {
		t.Errorf("Status = %+v, %v, want running", status, err)
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, err = future.Get(short)
	wantKind(t, err, mesh.DeadlineExceeded)

	doomed, err := sdk.Func[int, int](client, "block").Start(ctx, 8)
	if err != nil {
		t.Fatal(err)
	}
	if err := doomed.Cancel(ctx); err != nil {
		t.Error(err)
	}
	_, err = doomed.Get(ctx)
	wantKind(t, err, mesh.Cancelled)

	close(release)
	seven, err := sdk.FutureOf[int](other, future.ID()).Get(ctx) // as another program would
	want(t, seven, err, 7)
	status, err = other.Run(future.ID()).Status(ctx)
	if err != nil || status.State != mesh.Succeeded || len(status.Stages) != 1 {
		t.Errorf("Status = %+v, %v, want succeeded", status, err)
	}
	_, err = client.Run(mesh.NewRunID()).Wait(ctx)
	wantKind(t, err, mesh.NotFound)
}

func TestTheSameRunIDIsTheSameRun(t *testing.T) {
	var calls atomic.Int64
	count := func(context.Context, fn.None) (int64, error) { return calls.Add(1), nil }
	m := startMesh(t, 1, node.Handle("count", count))
	f := sdk.Func[fn.None, int64](m.dial(admission.AllVerbs), "count")
	f.Options.RunID = mesh.NewRunID()
	for range 2 {
		n, err := f.Call(t.Context(), fn.None{})
		want(t, n, err, 1)
	}
}

func TestDeployAndVersions(t *testing.T) {
	m := startMesh(t, 1)
	client := m.dial(admission.AllVerbs)
	_, err := client.Deploy(t.Context(), "f", []byte("not wasm"), sdk.DeployOptions{})
	wantKind(t, err, mesh.Invalid)
	_, err = client.Deploy(t.Context(), "no name", nil, sdk.DeployOptions{})
	wantKind(t, err, mesh.Invalid)
	_, err = client.GetFunc(t.Context(), "f")
	wantKind(t, err, mesh.NotFound)
	wantKind(t, client.UseVersion(t.Context(), "f", "v"), mesh.NotFound)
}
