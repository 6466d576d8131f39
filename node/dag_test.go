package node_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// list shows its arguments: "(a b)".
func list(_ context.Context, parts fn.Variadic[string]) (string, error) {
	return "(" + strings.Join(parts, " ") + ")", nil
}

// dag makes a DAG from stages such as "name" or "name=function", and edges
// such as "from:to".
func dag(name string, stages string, edges string) *mesh.DAG {
	d := &mesh.DAG{Namespace: mesh.DefaultNamespace, Name: name}
	for stage := range strings.FieldsSeq(stages) {
		called, function, _ := strings.Cut(stage, "=")
		if function == "" {
			function = called
		}
		d.Stages = append(d.Stages, mesh.Stage{Name: called, Func: mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: function}})
	}
	for edge := range strings.FieldsSeq(edges) {
		from, to, _ := strings.Cut(edge, ":")
		d.Edges = append(d.Edges, mesh.Edge{From: from, To: to})
	}
	return d
}

// create stores a DAG, which must work.
func create(t *testing.T, c *sdk.Client, d *mesh.DAG) {
	t.Helper()
	if err := c.CreateDAG(within(t, 30*time.Second), d); err != nil {
		t.Fatalf("create %s: %v", d.Name, err)
	}
}

// callDAG runs a DAG through a node, its stages placed on the nodes in turn.
func callDAG(t *testing.T, m *simmesh.Mesh, through int, d *mesh.DAG, args sdk.Args) (sdk.Results, error) {
	t.Helper()
	handle := at(m, through).DAG(d.Name)
	handle.Options.Place = map[string]mesh.NodeID{}
	for i, stage := range d.Stages {
		handle.Options.Place[stage.Name] = m.Node((through + 1 + i) % m.Len()).ID()
	}
	return handle.Call(within(t, 30*time.Second), args)
}

func TestFanInTakesArgumentsInEdgeOrderAcrossNodes(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 3, Provide: natives(node.Handle("list", list))})
	d := dag("diamond", "src=list a=list b=list c=list sink=list", "src:a src:b src:c c:sink a:sink b:sink")
	create(t, at(m, 0), d)
	args := sdk.Args{"src": {"x"}, "a": {"a"}, "b": {"b"}, "c": {"c"}, "sink": {"own"}}
	for i := range m.Len() {
		results, err := callDAG(t, m, i, d, args)
		if err != nil {
			t.Fatalf("through node %d: %v", i, err)
		}
		got, err := sdk.Only[string](results)
		wants(t, "the diamond", got, err, "(own (c (x)) (a (x)) (b (x)))")
	}
}

func TestEverySinkGivesItsResultInDeclarationOrder(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 3, Provide: natives(node.Handle("list", list))})
	d := dag("sinks", "z=list src=list y=list alone=list", "src:y src:z")
	create(t, at(m, 0), d)
	results, err := callDAG(t, m, 1, d, sdk.Args{"src": {"x"}, "alone": {"1", "2"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range results {
		text, err := sdk.Result[string](results, r.Stage)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r.Stage+text)
	}
	wants(t, "the sinks", strings.Join(got, " "), nil, "z((x)) y((x)) alone(1 2)")
}

func TestStageErrorsAndPanicsReachTheCallerWithTheStagesName(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 3, Provide: natives(
		node.Handle("list", list),
		node.Handle("fail", func(context.Context, string) (string, error) { return "", errors.New("no luck") }),
		node.Handle("panic", func(context.Context, string) (string, error) { panic("bang") }),
		node.Handle("conflict", func(context.Context, string) (string, error) {
			return "", mesh.Errorf(mesh.Conflict, "conflict", "twice")
		}),
	)})
	for _, test := range []struct {
		function, text string
		kind           mesh.ErrorKind
	}{
		{"fail", "no luck", mesh.UserError},
		{"panic", "panic: bang", mesh.UserError},
		{"conflict", "twice", mesh.Conflict},
	} {
		d := dag("chain-"+test.function, "first=list middle="+test.function+" last=list", "first:middle middle:last")
		create(t, at(m, 0), d)
		for i := range m.Len() {
			_, err := callDAG(t, m, i, d, sdk.Args{"first": {"x"}})
			wantsError(t, test.function, err, test.kind, "stage middle", test.text)
			var e *mesh.Error
			if !errors.As(err, &e) || e.Stage != "middle" {
				t.Errorf("%s: the error %#v does not name the stage", test.function, err)
			}
		}
	}
	create(t, at(m, 0), dag("bare", "fail", ""))
	_, err := at(m, 1).DAG("bare").Call(within(t, 30*time.Second), nil)
	wantsError(t, "a stage without its argument", err, mesh.Invalid, "stage fail", "expected 1 argument, got 0")
	got, err := call[string](t, at(m, 1), "list", "still", "well")
	wants(t, "the executors", got, err, "(still well)")
}

func TestAListIsOneValueFromStageToStage(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 3, Provide: natives(
		node.Handle("give", func(_ context.Context, list [][]int) ([][]int, error) { return list, nil }),
		node.Handle("sum", func(_ context.Context, list [][]int) (sums []int, err error) {
			sums = make([]int, len(list))
			for i, inner := range list {
				for _, n := range inner {
					sums[i] += n
				}
			}
			return sums, nil
		}),
	)})
	d := dag("lists", "give sum", "give:sum")
	create(t, at(m, 0), d)
	for _, test := range []struct {
		in   [][]int
		want []int
	}{
		{[][]int{}, []int{}},
		{[][]int{{}}, []int{0}},
		{[][]int{{1}, {}, {2, 3}}, []int{1, 0, 5}},
	} {
		results, err := callDAG(t, m, 2, d, sdk.Args{"give": {test.in}})
		if err != nil {
			t.Fatalf("%v: %v", test.in, err)
		}
		got, err := sdk.Only[[]int](results)
		if err != nil || len(got) != len(test.want) {
			t.Fatalf("%v gave %v, %v; want %v", test.in, got, err, test.want)
		}
		for i := range got {
			wants(t, "an element", got[i], nil, test.want[i])
		}
	}
}

func TestDAGsThatCannotRunAreRefused(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 2, Provide: arithmetic})
	for _, test := range []struct {
		what  string
		dag   *mesh.DAG
		kind  mesh.ErrorKind
		parts []string
	}{
		{"a cycle", dag("d", "incr square", "incr:square square:incr"), mesh.Invalid, []string{"incr -> square -> incr"}},
		{"an edge to itself", dag("d", "incr", "incr:incr"), mesh.Invalid, []string{"incr -> incr"}},
		{"an undeclared stage", dag("d", "incr", "incr:square"), mesh.Invalid, []string{"square"}},
		{"a duplicate stage", dag("d", "incr incr", ""), mesh.Invalid, []string{"incr"}},
		{"a duplicate edge", dag("d", "incr square", "incr:square incr:square"), mesh.Invalid, []string{"incr"}},
		{"no stage", dag("d", "", ""), mesh.Invalid, []string{"d"}},
		{"an unknown function", dag("d", "incr a=nosuch", "incr:a"), mesh.NotFound, []string{"stage a", "nosuch"}},
		{"an unknown version", dag("d", "incr", ""), mesh.NotFound, []string{"incr@7"}},
	} {
		if test.what == "an unknown version" {
			test.dag.Stages[0].Func.Version = "7"
		}
		wantsError(t, test.what, dial(t, m).CreateDAG(within(t, 30*time.Second), test.dag), test.kind, test.parts...)
	}
	_, err := at(m, 1).DAG("d").Call(within(t, 30*time.Second), nil)
	wantsError(t, "a DAG that was refused", err, mesh.NotFound)
}

func TestDeletingADAGLeavesItsFunctionsAndOtherDAGs(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 3, Provide: arithmetic})
	one, other := dag("one", "incr square", "incr:square"), dag("other", "square incr", "square:incr")
	create(t, at(m, 0), one)
	create(t, at(m, 0), other)
	deploy(t, at(m, 0), "echo", guestModule, "")
	third := dag("third", "echo", "")
	create(t, at(m, 0), third)
	if err := at(m, 2).DeleteFunc(within(t, 30*time.Second), "echo"); err != nil {
		t.Fatal(err)
	}
	if err := at(m, 1).DeleteDAG(within(t, 30*time.Second), "one"); err != nil {
		t.Fatal(err)
	}
	for i := range m.Len() {
		_, err := callDAG(t, m, i, one, sdk.Args{"incr": {1}})
		wantsError(t, "the deleted DAG", err, mesh.NotFound, "one")
		_, err = callDAG(t, m, i, third, sdk.Args{"echo": {1}})
		wantsError(t, "a DAG of the deleted function", err, mesh.NotFound, "stage echo")
		results, err := callDAG(t, m, i, other, sdk.Args{"square": {3}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := sdk.Only[int](results)
		wants(t, "the other DAG", got, err, 10)
		got, err = call[int](t, at(m, i), "incr", 1)
		wants(t, "incr(1)", got, err, 2)
	}
}

func TestADeletedDAGDoesNotComeBackWithANodeThatMissedTheDeletion(t *testing.T) {
	simulate(t, simmesh.Options{Nodes: 3, Provide: arithmetic}, func(t *testing.T, m *simmesh.Mesh) {
		d := dag("pipeline", "incr square", "incr:square")
		create(t, at(m, 0), d)
		if err := m.Kill(2); err != nil {
			t.Fatal(err)
		}
		if err := at(m, 0).DeleteDAG(within(t, time.Minute), d.Name); err != nil {
			t.Fatal(err)
		}
		if err := m.Restart(within(t, time.Minute), 2); err != nil {
			t.Fatal(err)
		}
		if err := m.Settle(within(t, time.Minute)); err != nil {
			t.Fatal(err)
		}
		for range 3 { // what nodes tell one another meanwhile does not bring it back
			for i := range m.Len() {
				_, err := at(m, i).DAG(d.Name).Call(within(t, time.Minute), sdk.Args{"incr": {1}})
				wantsError(t, "the deleted DAG", err, mesh.NotFound, d.Name)
			}
			time.Sleep(time.Minute) // virtual
		}
	})
}

func TestDeletingAFunctionLeavesOtherDAGs(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 2, Provide: arithmetic})
	deploy(t, at(m, 0), "echo", guestModule, "echo")
	with, without := dag("with", "square echo", "square:echo"), dag("without", "square incr", "square:incr")
	create(t, at(m, 0), with)
	create(t, at(m, 0), without)
	if err := at(m, 1).DeleteFunc(within(t, 30*time.Second), "echo"); err != nil {
		t.Fatal(err)
	}
	_, err := callDAG(t, m, 0, with, sdk.Args{"square": {3}})
	wantsError(t, "a DAG whose function is deleted", err, mesh.NotFound, "stage echo")
	results, err := callDAG(t, m, 0, without, sdk.Args{"square": {3}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := sdk.Only[int](results)
	wants(t, "the other DAG", got, err, 10)
}

func TestArgumentsThatDoNotFitTheDAGAreRefused(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 2, Provide: arithmetic})
	d := dag("pipeline", "incr square", "incr:square")
	create(t, at(m, 0), d)
	_, err := callDAG(t, m, 1, d, sdk.Args{"nosuch": {1}})
	wantsError(t, "arguments for a stage that is not there", err, mesh.Invalid, "nosuch")
	_, err = callDAG(t, m, 1, d, sdk.Args{"incr": {1, 2}})
	wantsError(t, "too many arguments", err, mesh.Invalid, "stage incr", "argument")
	_, err = callDAG(t, m, 1, d, nil)
	wantsError(t, "no arguments", err, mesh.Invalid, "stage incr", "argument")
}
