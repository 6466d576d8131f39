package run

import (
	"context"
	"errors"
	"testing"

	"github.com/virga-mesh/virga/mesh"
)

// versions is a catalog whose functions have the version that is set.
type versions struct {
	Catalog
	version string
}

func (v *versions) Function(_ context.Context, ref mesh.FuncRef) (mesh.FuncInfo, error) {
	if v.version == "" {
		return mesh.FuncInfo{}, mesh.Errorf(mesh.NotFound, "function", "no such function")
	}
	ref.Version = v.version
	return mesh.FuncInfo{Ref: ref, Kind: mesh.Wasm}, nil
}

func TestAGraphIsRememberedWhileItsFunctionsStay(t *testing.T) {
	catalog := &versions{version: "1"}
	r := New(Config{Self: "n1", Catalog: catalog})
	defer r.Close()
	dag := dagOf([]string{"a", "b"}, []string{"a:b"})
	graphWith := func(args map[string][]Arg) *graph {
		t.Helper()
		g, err := r.graphOf(t.Context(), dag, args)
		if err != nil {
			t.Fatal(err)
		}
		if v := g.stages[1].fn.Ref.Version; v != catalog.version {
			t.Errorf("version %s, expected %s", v, catalog.version)
		}
		return g
	}
	first := graphWith(map[string][]Arg{"a": argsOf("1")})
	if again := graphWith(nil); again != first {
		t.Error("the graph was made again")
	}
	if other := graphWith(map[string][]Arg{"b": argsOf("1")}); !other.stages[1].hasArgs || first.stages[1].hasArgs {
		t.Error("arguments of its own for b: not in its graph, or in that of another call")
	}
	catalog.version = "2"
	graphWith(nil)
	if v := first.stages[1].fn.Ref.Version; v != "1" {
		t.Errorf("a run under way has version %s now", v)
	}
	catalog.version = ""
	if _, err := r.graphOf(t.Context(), dag, nil); !errors.Is(err, mesh.NotFound) {
		t.Errorf("without its functions: %v", err)
	}
	if _, err := r.graphOf(t.Context(), dag, map[string][]Arg{"c": nil}); !errors.Is(err, mesh.Invalid) {
		t.Errorf("arguments of no stage: %v", err)
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	known := newRecent[int, int]()
	for i := range 2 * recentRuns {
		known.put(i, &i)
		if got := known.get(i); got == nil || *got != i {
			t.Fatalf("%d is not known", i)
		}
	}
	if n := len(known.known); n != recentRuns {
		t.Errorf("%d are remembered, expected %d", n, recentRuns)
	}
}
