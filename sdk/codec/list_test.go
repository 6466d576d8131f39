package codec_test

import (
	"strings"
	"testing"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

func TestListsComeApartAndTogether(t *testing.T) {
	encoded, err := codec.Encode([]any{1, "two", []byte("3"), []int{4}, nil})
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range []mesh.Value{encoded, {Format: mesh.CBOR, Data: []byte{0x80}}, {Format: mesh.JSON, Data: []byte(`[1,"two",[4],null]`)}, {Format: mesh.JSON, Data: []byte("[]")}} {
		elements, err := codec.Elements(list)
		if err != nil {
			t.Fatal(err)
		}
		again, err := codec.List(list.Format, elements)
		if err != nil || again.Format != list.Format || string(again.Data) != string(list.Data) {
			t.Errorf("%s became %s, %v", list.Data, again.Data, err)
		}
	}
	mixed, err := codec.List(mesh.JSON, []mesh.Value{{Format: mesh.Text, Data: []byte("a")}, {}, encoded})
	if err != nil || string(mixed.Data) != `["a",null,[1,"two","Mw==",[4],null]]` {
		t.Errorf("mixed formats became %s, %v", mixed.Data, err)
	}
}

func TestWhatIsNoListIsInvalid(t *testing.T) {
	for text, v := range map[string]mesh.Value{
		"no value": {}, "text of 1 bytes": {Format: mesh.Text, Data: []byte("x")},
		"json: a map": {Format: mesh.JSON, Data: []byte(`{"a":1}`)}, "json: null": {Format: mesh.JSON, Data: []byte("null")},
		"cbor: a number": {Format: mesh.CBOR, Data: []byte{7}}, "read JSON": {Format: mesh.JSON, Data: []byte("[1,")},
		"read list": {Format: mesh.CBOR, Data: []byte{0x82, 1}},
	} {
		if _, err := codec.Elements(v); mesh.KindOf(err) != mesh.Invalid || !strings.Contains(err.Error(), text) {
			t.Errorf("%v: %v; expected Invalid with %q", v, err, text)
		}
	}
}
