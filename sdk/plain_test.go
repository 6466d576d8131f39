package sdk_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
	"github.com/virga-mesh/virga/sdk/worker"
)

type set map[string]struct{}

func TestPlainValuesAreWrappedAndUnwrapped(t *testing.T) {
	onBothWays(t, func(t *testing.T, client *sdk.Client) {
		ctx := t.Context()
		put := func(name string, v any, kind lattice.Kind) {
			t.Helper()
			if _, err := sdk.Put(ctx, client, name, v); err != nil {
				t.Error(err)
			}
			if state, err := client.Get(ctx, name); err != nil || state.Kind() != kind {
				t.Errorf("%s is %v, %v, want %v", name, state.Kind(), err, kind)
			}
		}
		put("number", 7, lattice.LWWKind)
		put("list", []string{"a", "b"}, lattice.LWWKind)
		put("map", map[string]bool{"a": true}, lattice.LWWKind)
		put("tags", set{"a": {}}, lattice.SetKind)
		put("tags", map[string]struct{}{"b": {}}, lattice.SetKind)
		number, err := sdk.Get[int](ctx, client, "number")
		want(t, number, err, 7)
		if list, err := sdk.Get[[]string](ctx, client, "list"); err != nil || !slices.Equal(list, []string{"a", "b"}) {
			t.Errorf("list is %v, %v", list, err)
		}
		if tags, err := sdk.Get[set](ctx, client, "tags"); err != nil || !maps.Equal(tags, set{"a": {}, "b": {}}) {
			t.Errorf("tags are %v, %v", tags, err)
		}
		if tags, err := sdk.Get[[]string](ctx, client, "tags"); err != nil || len(tags) != 2 {
			t.Errorf("tags are %v, %v", tags, err)
		}
		if err := sdk.ORSet[int](client, "primes").Add(ctx, 2, 3); err != nil {
			t.Fatal(err)
		}
		if primes, err := sdk.Get[map[int]struct{}](ctx, client, "primes"); err != nil || len(primes) != 2 {
			t.Errorf("primes are %v, %v", primes, err)
		}
		_, err = sdk.Put(ctx, client, "number", set{"a": {}})
		wantKind(t, err, mesh.KindMismatch)
		_, err = sdk.Put(ctx, client, "number", make(chan int))
		wantKind(t, err, mesh.Invalid)
		_, err = sdk.Get[string](ctx, client, "number")
		wantKind(t, err, mesh.Invalid)
		_, err = sdk.Get[int](ctx, client, "missing")
		wantKind(t, err, mesh.NotFound)
	})
}

// remember puts a set and a number, reads both and a missing key at once, and
// deletes one of them.
func remember(ctx context.Context, name string) (int, error) {
	if err := errors.Join(fn.Put(ctx, name+"/set", set{name: {}, "b": {}}), fn.Put(ctx, name+"/n", 5)); err != nil {
		return 0, err
	}
	kept, err := fn.Get[set](ctx, name+"/set")
	if err != nil {
		return 0, err
	}
	got := fn.GetAll[int](ctx, name+"/n", name+"/missing", name+"/n")
	if got[0].Err != nil || got[2].Value != 5 || !errors.Is(got[1].Err, mesh.NotFound) || got[1].Key != name+"/missing" {
		return 0, errors.New("several keys were read otherwise")
	}
	return len(kept) + got[0].Value, fn.Delete(ctx, name+"/n")
}

func TestFunctionsPutPlainValuesAndReadSeveralKeys(t *testing.T) {
	m := startMesh(t, 2, node.Handle("native", remember))
	client := m.dial(admission.AllVerbs)
	w, err := worker.Start(t.Context(), client, worker.Handle("worker", remember))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	for _, name := range []string{"native", "worker"} {
		seven, err := sdk.Func[string, int](client, name).Call(t.Context(), name)
		want(t, seven, err, 7)
		_, err = client.WithState(sdk.StateOptions{ReadQuorum: 2}).Get(t.Context(), name+"/n")
		wantKind(t, err, mesh.NotFound)
	}
}
