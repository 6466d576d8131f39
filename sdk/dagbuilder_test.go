package sdk_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/codec"
)

func TestADAGIsBuiltWithEveryOption(t *testing.T) {
	got, err := sdk.NewDAG("d").
		Stage("a", "f@prod", sdk.Retry(3, time.Second), sdk.LongestBackoff(time.Minute), sdk.Timeout(time.Hour), sdk.Colocate("g"), sdk.Label("k", "v"), sdk.Label("l", "w")).
		StageIn("team", "b", "g", sdk.WaitForAny(nil, "none"), sdk.Hedge(0), sdk.MapEach(4)).
		Stage("c", "h", sdk.Batch(8, time.Millisecond)).
		Edge("a", "b", sdk.When("x.0 > 3")).Edge("b", "c").
		Build()
	if err != nil {
		t.Fatal(err)
	}
	null, _ := codec.Encode(nil)
	want := &mesh.DAG{
		Name: "d",
		Stages: []mesh.Stage{
			{Name: "a", Func: mesh.FuncRef{Name: "f", Version: "prod"}, StageOptions: mesh.StageOptions{
				Retry: mesh.Retry{Attempts: 3, Backoff: time.Second, Longest: time.Minute}, Timeout: time.Hour,
				Colocate: "g", Labels: map[string]string{"k": "v", "l": "w"},
			}},
			{Name: "b", Func: mesh.FuncRef{Namespace: "team", Name: "g"}, StageOptions: mesh.StageOptions{
				Any:   &mesh.AnyOf{Invalid: []mesh.Value{null, {Format: mesh.Text, Data: []byte("none")}}},
				Hedge: mesh.Hedge{On: true}, Map: mesh.Map{Parallel: 4},
			}},
			{Name: "c", Func: mesh.FuncRef{Name: "h"}, StageOptions: mesh.StageOptions{Batch: mesh.Batch{Size: 8, Within: time.Millisecond}}},
		},
		Edges: []mesh.Edge{{From: "a", To: "b", When: mesh.Condition{Path: "x.0", Op: mesh.Greater, JSON: "3"}}, {From: "b", To: "c"}},
	}
	if want.Edges[0].When, err = mesh.ParseCondition("x.0 > 3"); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("built %+v, want %+v", got, want)
	}
}

func TestBuildSaysWhatIsWrong(t *testing.T) {
	for says, b := range map[string]*sdk.DAGBuilder{
		"has no stages":                       sdk.NewDAG("d"),
		`dag name "a b"`:                      sdk.NewDAG("a b").Stage("a", "a"),
		"stage a: Invalid: function name":     sdk.NewDAG("d").Stage("a", "no name"),
		"has the cycle a -> b -> a":           sdk.NewDAG("d").Stage("a", "f").Stage("b", "f").Edge("a", "b").Edge("b", "a"),
		`names stage "x"`:                     sdk.NewDAG("d").Stage("a", "f").Edge("a", "x"),
		"edge a:b: Invalid: operator":         sdk.NewDAG("d").Stage("a", "f").Stage("b", "f").Edge("a", "b", sdk.When(". ~ 3")),
		"1 attempts: expected 2 to 100":       sdk.NewDAG("d").Stage("a", "f", sdk.Retry(1, 0)),
		"batches of 0":                        sdk.NewDAG("d").Stage("a", "f", sdk.Batch(0, 0)),
		"0 elements at once":                  sdk.NewDAG("d").Stage("a", "f", sdk.MapEach(0)),
		"a timeout of -1s":                    sdk.NewDAG("d").Stage("a", "f", sdk.Timeout(-time.Second)),
		"has no CBOR form":                    sdk.NewDAG("d").Stage("a", "f", sdk.WaitForAny(make(chan int))),
		"and has no parents":                  sdk.NewDAG("d").Stage("a", "f", sdk.WaitForAny()),
		"label name \"a b\"":                  sdk.NewDAG("d").Stage("a", "f", sdk.Label("a b", "")),
		"colocation group name \"no group\"":  sdk.NewDAG("d").Stage("a", "f", sdk.Colocate("no group")),
		"stage b: Invalid: 101 attempts: exp": sdk.NewDAG("d").Stage("b", "f", sdk.Retry(101, 0)),
	} {
		dag, err := b.Build()
		if dag != nil || !errors.Is(err, mesh.Invalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want Invalid: %s", err, says)
		}
	}
}

func TestTypedStagesRunInTheClientsNamespace(t *testing.T) {
	onBothWays(t, func(t *testing.T, client *sdk.Client) {
		square := sdk.Func[int, int](client.In(mesh.DefaultNamespace), "square")
		b := sdk.NewDAG("typed")
		first, second := sdk.AddStage(b, "first", square), sdk.AddStage(b, "second", square)
		sdk.Connect(first, second)
		dag, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		if err := client.CreateDAG(t.Context(), dag); err != nil {
			t.Fatal(err)
		}
		results, err := client.DAG("typed").Call(t.Context(), sdk.Args{"first": {3}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := sdk.Only[int](results)
		want(t, got, err, 81)
		stored, err := client.GetDAG(t.Context(), "typed")
		if err != nil || stored.Namespace != client.Namespace() || dag.Namespace != "" {
			t.Errorf("stored as %+v, %v", stored, err)
		}
	})
}
