package run

import (
	"slices"
	"testing"

	"github.com/virga-mesh/virga/mesh"
)

func TestPlaceOfAStage(t *testing.T) {
	const somewhere, beside, alone, last = mesh.Somewhere, mesh.Beside, mesh.Alone, mesh.Last
	for name, c := range map[string]struct {
		parents [][]int
		options map[int]mesh.StageOptions
		want    []mesh.Place
	}{
		"one":                     {[][]int{{}}, nil, []mesh.Place{last}},
		"chain":                   {[][]int{{}, {0}, {1}}, nil, []mesh.Place{alone, alone, last}},
		"diamond":                 {[][]int{{}, {0}, {0}, {1, 2}}, nil, []mesh.Place{alone, beside, beside, last}},
		"two sinks":               {[][]int{{}, {0}, {0}}, nil, []mesh.Place{alone, beside, beside}},
		"two sources, then a way": {[][]int{{}, {}, {0, 1}, {2}}, nil, []mesh.Place{beside, beside, alone, last}},
		"a way past a stage":      {[][]int{{}, {0}, {0, 1}}, nil, []mesh.Place{alone, alone, last}},
		"a result may be dropped": {[][]int{{}, {0}, {1}}, map[int]mesh.StageOptions{1: {Hedge: mesh.Hedge{On: true}}}, []mesh.Place{somewhere, somewhere, somewhere}},
	} {
		g := &graph{stages: make([]stage, len(c.parents))}
		for i, parents := range c.parents {
			g.stages[i].parents, g.stages[i].options = parents, c.options[i]
		}
		if err := g.link(); err != nil {
			t.Fatal(err)
		}
		var got []mesh.Place
		for i := range g.stages {
			got = append(got, g.place(i))
		}
		if g.parts() != (len(c.want) > 1 && c.want[0] != somewhere) {
			t.Errorf("%s: parts = %v", name, g.parts())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
