package codec_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

// standIn is a type that stands for a key, as those of package sdk do.
type standIn string

func (s standIn) MarshalCBOR() ([]byte, error) {
	return codec.MarshalReference(mesh.Reference{Key: mesh.Key{Namespace: "n", Name: string(s)}})
}

type order struct {
	Items []any             `json:"items"`
	By    map[string]any    `json:"by"`
	To    *standIn          `json:"to,omitempty"`
	Note  string            `json:"note"`
	Codes map[int64]standIn `json:"codes"`
}

func TestReferencesAtAnyDepthBecomeHolesThatAreFilled(t *testing.T) {
	to := standIn("to")
	v := order{
		Items: []any{1, standIn("one"), []any{2.5, map[string]any{"deep": standIn("deep")}}, []byte("bytes"), nil, true},
		By:    map[string]any{"x": standIn("x"), "a": strings.Repeat("long ", 100)},
		To:    &to, Note: "VRGA \xda", Codes: map[int64]standIn{-7: "seven"},
	}
	v.Note = "VRGA"
	template, holes, err := codec.Template(v)
	if err != nil {
		t.Fatal(err)
	}
	paths := map[string]bool{}
	values := make([]mesh.Value, len(holes))
	for i, hole := range holes {
		paths[hole.Path+" "+hole.Key.Name] = true
		if values[i], err = codec.Encode(map[string]string{"is": hole.Key.Name}); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{".items[1] one", ".items[2][1].deep deep", ".by.x x", ".to to", ".codes.-7 seven"} {
		if !paths[want] {
			t.Errorf("no hole %q among %v", want, paths)
		}
	}
	filled, err := codec.Fill(template, holes, values)
	if err != nil {
		t.Fatal(err)
	}
	text, err := codec.ToJSON(filled, "")
	want := `{"by":{"a":"` + strings.Repeat("long ", 100) + `","x":{"is":"x"}},"codes":{"-7":{"is":"seven"}},` +
		`"items":[1,{"is":"one"},[2.5,{"deep":{"is":"deep"}}],"Ynl0ZXM=",null,true],"note":"VRGA","to":{"is":"to"}}`
	if err != nil || string(text) != want {
		t.Errorf("filled is\n%s, %v, want\n%s", text, err, want)
	}
}

func TestHolesTakeValuesOfAllFormats(t *testing.T) {
	template, holes, err := codec.Template([]any{standIn("a"), standIn("b"), standIn("c"), standIn("d")})
	if err != nil || len(holes) != 4 {
		t.Fatal(holes, err)
	}
	filled, err := codec.Fill(template, holes, []mesh.Value{
		{Format: mesh.Text, Data: []byte("text")}, {Format: mesh.Raw, Data: []byte("raw")}, {Format: mesh.JSON, Data: []byte(`{"a": [1]}`)}, {},
	})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := codec.ToJSON(filled, ""); err != nil || string(text) != `["text","cmF3",{"a":[1]},null]` {
		t.Errorf("filled is %s, %v", text, err)
	}
}

func TestATemplateWithoutReferencesIsTheValue(t *testing.T) {
	for _, v := range []any{1, "VRGA", []byte("\xda\x56\x52\x47\x41"), map[string]any{"a": []byte("\xda\x56\x52\x47\x41 is no tag")}, mesh.Value{Format: mesh.Text, Data: []byte("x")}} {
		want, err := codec.Encode(v)
		if err != nil {
			t.Errorf("%v: %v", v, err)
		}
		got, holes, err := codec.Template(v)
		if err != nil || len(holes) != 0 || got.Format != want.Format || string(got.Data) != string(want.Data) {
			t.Errorf("%v became %v with holes %v, %v", v, got, holes, err)
		}
	}
	whole, holes, err := codec.Template(standIn("k"))
	if err != nil || len(holes) != 1 || holes[0].Path != "" || len(whole.Data) != 1 {
		t.Errorf("a reference became %v, %v, %v", whole, holes, err)
	}
}

func TestReferencesWhereNoneMayStand(t *testing.T) {
	deep := any(standIn("k"))
	for range 70 {
		deep = []any{deep}
	}
	_, _, inKey := codec.Template(map[standIn]int{"k": 1})
	_, _, tooDeep := codec.Template(deep)
	_, _, badKey := codec.Template([]any{standIn("")})
	_, outside := codec.Encode([]any{1, standIn("k")})
	for _, test := range []struct {
		err  error
		says string
	}{
		{inKey, "a key of a map refers to key n/k"}, {tooDeep, "at most 64 levels"}, {badKey, "expected 1 to"},
		{outside, "key n/k stands at [1]: references are for the arguments of a call"},
	} {
		if !errors.Is(test.err, mesh.Invalid) || !strings.Contains(test.err.Error(), test.says) {
			t.Errorf("got %v, want Invalid: %s", test.err, test.says)
		}
	}
}

func FuzzFill(f *testing.F) {
	f.Add([]byte{0x82, 0xf6, 0xf6}, 1, 2)
	f.Fuzz(func(t *testing.T, data []byte, first, second int) {
		holes := []mesh.Hole{{Offset: first}, {Offset: second}}
		values := []mesh.Value{{Format: mesh.Text, Data: []byte("x")}, {Format: mesh.Raw}}
		_, _ = codec.Fill(mesh.Value{Format: mesh.CBOR, Data: data}, holes, values) // it must not panic
	})
}
