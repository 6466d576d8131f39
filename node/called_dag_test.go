package node_test

import (
	"context"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
	"github.com/virga-mesh/virga/sdk/worker"
)

// noting counts each of its executions as one, in a counter of its stage's own.
func noting(by int) func(context.Context, int) (int, error) {
	return func(ctx context.Context, n int) (int, error) {
		return n * by, fn.Inc(ctx, "ran-"+fn.ID(ctx).Stage, 1)
	}
}

// fork is a DAG of a stage that feeds two.
func fork(t *testing.T, m *simmesh.Mesh) {
	t.Helper()
	d := dag("fork", "first", "")
	for _, name := range []string{"double", "triple"} {
		d.Stages = append(d.Stages, mesh.Stage{Name: name, Func: mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: name}})
		d.Edges = append(d.Edges, mesh.Edge{From: "first", To: name})
	}
	create(t, at(m, 0), d)
}

// forking runs the DAG, and fails after that as often as the fuse says.
func forking(f *fuse) func(context.Context, int) (map[string]int, error) {
	return func(ctx context.Context, n int) (map[string]int, error) {
		result, err := fn.CallDAG[map[string]int](ctx, "fork", fn.StageArgs{"first": {n}})
		if err == nil {
			_, err = f.burn(ctx, n)
		}
		return result, err
	}
}

func provideFork(f *fuse, options ...node.Option) func(int) []node.Option {
	return natives(append(options,
		node.Handle("first", noting(1)), node.Handle("double", noting(2)), node.Handle("triple", noting(3)),
		node.Handle("native", forking(f)),
	)...)
}

func TestFunctionsCallDAGs(t *testing.T) {
	f := &fuse{}
	m := start(t, simmesh.Options{Nodes: 3, Provide: provideFork(f)})
	serve(t, dial(t, m, 1), worker.Handle("worker", forking(f)))
	deploy(t, at(m, 0), "run-dag", guestModule, "")
	fork(t, m)
	calls := map[string]func(context.Context, *sdk.Client) (map[string]int, error){
		"run-dag": func(ctx context.Context, c *sdk.Client) (map[string]int, error) {
			return sdk.Func[fn.Args2[string, int], map[string]int](c, "run-dag").Call(ctx, fn.Args2[string, int]{A: "fork", B: 5})
		},
	}
	for _, name := range []string{"native", "worker"} {
		calls[name] = func(ctx context.Context, c *sdk.Client) (map[string]int, error) {
			return sdk.Func[int, map[string]int](c, name).Call(ctx, 5)
		}
	}
	for name, call := range calls {
		for i := range m.Len() {
			got, err := call(within(t, 30*time.Second), at(m, i))
			if err != nil || len(got) != 2 || got["double"] != 10 || got["triple"] != 15 {
				t.Errorf("%s gave %v, %v", name, got, err)
			}
		}
	}
	for _, stage := range []string{"first", "double", "triple"} {
		wants(t, "plain calls of "+stage, counted(t, m, 0, "ran-"+stage), nil, int64(3*len(calls)))
	}
	_, err := sdk.Func[fn.Args2[string, int], map[string]int](at(m, 0), "run-dag").Call(within(t, 30*time.Second), fn.Args2[string, int]{A: "none"})
	wantsError(t, "a dag that is none", err, mesh.NotFound, "dag none")
}

// A function that is executed again after its DAG ran has the same work done
// again, which counts once.
func TestTheDAGOfARetriedFunctionCountsOnce(t *testing.T) {
	f := &fuse{}
	m := start(t, simmesh.Options{Nodes: 3, Provide: provideFork(f)})
	serve(t, dial(t, m, 1), worker.Handle("worker", forking(f)))
	fork(t, m)
	for n, name := range []string{"native", "worker"} {
		f.failures.Store(2)
		function := sdk.Func[int, map[string]int](at(m, n), name)
		function.Options.Stage.Retry = mesh.Retry{Attempts: 3}
		got, err := function.Call(within(t, 30*time.Second), 7)
		wants(t, name, got["triple"], err, 21)
		for _, stage := range []string{"first", "double", "triple"} {
			wants(t, "what "+stage+" counted", counted(t, m, 2, "ran-"+stage), nil, int64(n+1))
		}
	}
}

// A run of a DAG that a function starts is one, however often that is executed.
func TestTheDAGThatARetriedFunctionStartsRunsOnce(t *testing.T) {
	f := &fuse{}
	begin := func(ctx context.Context, n int) (string, error) {
		future, err := fn.StartDAG[map[string]int](ctx, "fork", fn.StageArgs{"first": {n}})
		if err == nil {
			_, err = f.burn(ctx, n)
		}
		return future.ID.String(), err
	}
	m := start(t, simmesh.Options{Nodes: 3, Provide: provideFork(f, node.Handle("begin", begin))})
	serve(t, dial(t, m, 2), worker.Handle("begin-worker", begin))
	deploy(t, at(m, 0), "start-dag", guestModule, "")
	fork(t, m)
	result := func(text string) map[string]int {
		id, err := mesh.ParseRunID(text)
		if err != nil {
			t.Fatal(err)
		}
		results, err := at(m, 1).Run(id).Wait(within(t, 30*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		whole := map[string]int{}
		for _, stage := range []string{"double", "triple"} {
			if whole[stage], err = sdk.Result[int](results, stage); err != nil {
				t.Fatal(err)
			}
		}
		return whole
	}
	for n, name := range []string{"begin", "begin-worker"} {
		f.failures.Store(2)
		function := sdk.Func[int, string](at(m, 0), name)
		function.Options.Stage.Retry = mesh.Retry{Attempts: 3}
		id, err := function.Call(within(t, 30*time.Second), 7)
		if err != nil {
			t.Fatal(err)
		}
		wants(t, "the run that "+name+" started", result(id)["double"], nil, 14)
		wants(t, "what it counted", counted(t, m, 1, "ran-first"), nil, int64(n+1))
	}
	id, err := sdk.Func[fn.Args2[string, int], string](at(m, 0), "start-dag").Call(within(t, 30*time.Second), fn.Args2[string, int]{A: "fork", B: 2})
	if err != nil {
		t.Fatal(err)
	}
	wants(t, "the run that the guest started", result(id)["triple"], nil, 6)
}
