package witness_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/virga-mesh/virga/internal/nemesis/witness"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/meshtest"
)

// TestARunTellsWhatItsStagesDid has two stages beside one another, after one
// and before one.
func TestARunTellsWhatItsStagesDid(t *testing.T) {
	m := meshtest.New(t, 2, meshtest.Handle("witness", witness.Do))
	client := m.Dial(t)
	d, err := sdk.NewDAG("diamond").
		Stage("top", "witness").Stage("left", "witness").Stage("right", "witness").Stage("bottom", "witness").
		Edge("top", "left").Edge("top", "right").Edge("left", "bottom").Edge("right", "bottom").Build()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.CreateDAG(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	args := sdk.Args{}
	for _, stage := range d.Stages {
		order := witness.Order{Run: "r", Stage: stage.Name, Steps: []witness.Step{{Key: "missing"}}}
		switch stage.Name {
		case "top":
			order.Steps = append(order.Steps, witness.Step{Key: "k", Writes: true})
		case "bottom":
			order.Steps = append(order.Steps, witness.Step{Key: "k"})
		}
		args[stage.Name] = []any{witness.Note{Order: order}}
	}
	dag := client.DAG("diamond")
	dag.Options.Consistency = mesh.CausalSession
	results, err := dag.Call(t.Context(), args)
	if err != nil {
		t.Fatal(err)
	}
	note, err := sdk.Only[witness.Note](results)
	if err != nil || len(note.Done) != 4 {
		t.Fatalf("%d executions, %v: want 4, each once", len(note.Done), err)
	}
	top, bottom := note.Done[0], note.Done[3]
	wrote, read := top.Deeds[1], bottom.Deeds[1]
	if len(bottom.After) != 3 || len(top.After) != 0 || !slices.Contains(bottom.After, top.Name) {
		t.Errorf("%v comes after %v, and %v after %v", bottom.Name, bottom.After, top.Name, top.After)
	}
	if v, ok := witness.ParseVersion(wrote.Version); !ok || v.Run != "r" || v.Name() != top.Name || v.Step != 1 {
		t.Errorf("the version %q was read as %+v", wrote.Version, v)
	}
	if read.Version != wrote.Version || top.Deeds[0].Version != "" || top.Node == "" {
		t.Errorf("the stages did %+v and then %+v", top, bottom)
	}
	for _, e := range note.Done {
		for _, d := range e.Deeds {
			if d.Began == 0 || d.Ended < d.Began {
				t.Errorf("%s took from %d to %d for %s", e.Name, d.Began, d.Ended, d.Key)
			}
		}
	}
}

func TestAStageWithoutAnOrderIsInvalid(t *testing.T) {
	if _, err := witness.Do(t.Context(), nil); !errors.Is(err, mesh.Invalid) {
		t.Errorf("it gave %v", err)
	}
}

func TestOtherTextsAreNoVersions(t *testing.T) {
	for _, text := range []string{"", "a/b/c", "a/b/c/d", "a/b/c/01", "a/b/c/1/2"} {
		if v, ok := witness.ParseVersion(text); ok {
			t.Errorf("%q was read as %+v", text, v)
		}
	}
}
