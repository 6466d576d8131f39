package run

import (
	"errors"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

func encoded(t *testing.T, v any) mesh.Value {
	t.Helper()
	value, err := codec.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestConditionsOnResults(t *testing.T) {
	order := map[string]any{"id": "A7", "price": 9.5, "count": 3, "items": []any{map[string]any{"name": "x"}, 2}, "none": nil, "ok": true}
	values := map[string]mesh.Value{
		"json":   {Format: mesh.JSON, Data: []byte(`{"id":"A7","price":9.5,"count":3,"items":[{"name":"x"},2],"none":null,"ok":true}`)},
		"cbor":   encoded(t, order),
		"text":   text("hello"),
		"number": encoded(t, uint64(1)<<63),
		"float":  encoded(t, 3.0),
		"ints":   encoded(t, map[int]string{7: "seven"}),
		"raw":    encoded(t, []byte{1, 2}),
		"null":   encoded(t, nil),
		"no":     {},
	}
	for _, test := range []struct {
		of, condition string
		met           bool
	}{
		{"json", `id == "A7"`, true}, {"cbor", `id == "A7"`, true}, {"cbor", `id != "A7"`, false},
		{"json", `count == 3.0`, true}, {"cbor", `count == 3e0`, true}, {"cbor", `count >= 3`, true}, {"cbor", `count < 3`, false},
		{"cbor", `price > 9`, true}, {"json", `price <= 9.5`, true}, {"cbor", `price > "9"`, false}, {"cbor", `price <= "9"`, false},
		{"cbor", `items.0.name == "x"`, true}, {"json", `items.1 == 2`, true}, {"json", `items.2 exists`, false}, {"json", `items.-1 missing`, true},
		{"cbor", `items == [{"name":"x"},2.0]`, true}, {"cbor", `items.0 == {"name":"y"}`, false}, {"cbor", `items == []`, false},
		{"cbor", `nothing == 1`, false}, {"cbor", `nothing != 1`, true}, {"cbor", `nothing < 1`, false}, {"cbor", `nothing missing`, true},
		{"cbor", `none == null`, true}, {"cbor", `none exists`, true}, {"cbor", `none.x missing`, true},
		{"cbor", `ok == true`, true}, {"cbor", `ok == "true"`, false}, {"cbor", `ok > false`, false},
		{"text", `. == "hello"`, true}, {"text", `. > "h"`, true}, {"text", `. < "h"`, false}, {"text", `x exists`, false},
		{"number", `. == 9223372036854775808`, true}, {"number", `. > 9223372036854775807`, true}, {"float", `. == 3`, true},
		{"ints", `7 == "seven"`, true}, {"ints", `8 missing`, true},
		{"raw", `. exists`, true}, {"raw", `. missing`, false},
		{"null", `. == null`, true}, {"null", `. exists`, true}, {"no", `. == null`, true}, {"no", `x missing`, true},
	} {
		c, err := mesh.ParseCondition(test.condition)
		if err != nil {
			t.Fatal(err)
		}
		if met, err := (&result{value: values[test.of]}).meets(c); met != test.met || err != nil {
			t.Errorf("%s on %s: %v, %v, want %v", test.condition, test.of, met, err, test.met)
		}
	}
	for _, test := range []struct{ of, condition string }{{"raw", `x exists`}, {"raw", `. == 1`}, {"raw", `. != 1`}} {
		c, err := mesh.ParseCondition(test.condition)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (&result{value: values[test.of]}).meets(c); !errors.Is(err, mesh.Invalid) || !strings.Contains(err.Error(), test.condition) {
			t.Errorf("%s on %s: %v, want Invalid that says it", test.condition, test.of, err)
		}
	}
	malformed := result{value: mesh.Value{Format: mesh.JSON, Data: []byte("{")}}
	if _, err := malformed.meets(mesh.Condition{Path: "x", Op: mesh.Exists}); !errors.Is(err, mesh.Invalid) {
		t.Errorf("a result that is no JSON: %v, want Invalid", err)
	}
}

func TestConditionsKeepToTheirEdges(t *testing.T) {
	d := dagOf([]string{"a", "b", "c", "d"}, []string{"a:d", "b:d", "a:c"})
	d.Edges[1].When = mesh.Condition{Path: ".", Op: mesh.Exists}
	g, err := newGraph(d, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := g.stages[3].when; len(got) != 2 || !got[0].IsZero() || got[1] != d.Edges[1].When || g.stages[2].when != nil {
		t.Errorf("conditions %v: want that of the second parent alone", got)
	}
	if g.stages[0].branches || !g.stages[1].branches {
		t.Error("an edge without a condition counts as one with")
	}
}
