package fn_test

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn"
)

func TestCallsOfDAGs(t *testing.T) {
	ctx := fn.WithLibrary(t.Context(), &library{runs: map[mesh.RunID]mesh.Value{}})
	want := map[string]int{"a": 3, "b": 3}
	args := fn.StageArgs{"b": {3}, "a": {1, 2}}
	if got, err := fn.CallDAG[map[string]int](ctx, "sums", args); err != nil || !maps.Equal(got, want) {
		t.Errorf("the result is %v, %v", got, err)
	}
	future, err := fn.StartDAG[map[string]int](ctx, "own/sums", args)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := future.Get(ctx); err != nil || !maps.Equal(got, want) {
		t.Errorf("the result of the run is %v, %v", got, err)
	}
	for text, call := range map[string]func(context.Context) error{
		"dags have no versions": func(ctx context.Context) error { _, err := fn.CallDAG[int](ctx, "sums@v", nil); return err },
		"stage a: Invalid": func(ctx context.Context) error {
			_, err := fn.StartDAG[int](ctx, "sums", fn.StageArgs{"a": {func() {}}})
			return err
		},
		"call dag sums: Invalid": func(ctx context.Context) error { _, err := fn.CallDAG[int](ctx, "sums", args); return err },
	} {
		if err := call(ctx); !errors.Is(err, mesh.Invalid) || !strings.Contains(err.Error(), text) {
			t.Errorf("the error is %v: expected Invalid with %q", err, text)
		}
	}
}

func TestPairs(t *testing.T) {
	text := func(s string) mesh.Value { return mesh.Value{Format: mesh.Text, Data: []byte(s)} }
	args := []fn.StageArg{{Stage: "a", Value: text("1")}, {Stage: "a", Value: mesh.Value{}}, {Stage: "b", Value: text("2")}}
	if got, err := fn.ParsePairs(fn.Pairs(args)); err != nil || !reflect.DeepEqual(got, args) {
		t.Errorf("the pairs came back as %v, %v", got, err)
	}
	for _, bad := range [][]mesh.Value{{text("a")}, {{Format: mesh.JSON, Data: []byte("1")}, text("x")}} {
		if _, err := fn.ParsePairs(bad); !errors.Is(err, mesh.Invalid) {
			t.Errorf("%v: %v, want Invalid", bad, err)
		}
	}
}
