package codec_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

func TestJSONThereAndBack(t *testing.T) {
	for _, text := range []string{
		`null`, `true`, `false`, `0`, `-1`, `9223372036854775807`, `18446744073709551615`,
		`123456789012345678901234567890`, `-123456789012345678901234567890`,
		`1.5`, `2.0`, `1e+300`, `""`, `"<text> & ünïcode"`, `[]`, `{}`, `[1,2.0,"x",null,[true]]`,
		`{"a":1,"b":{"c":[]}}`,
	} {
		v, err := codec.FromJSON([]byte(text))
		if err != nil {
			t.Errorf("FromJSON(%s): %v", text, err)
			continue
		}
		if v.Format != mesh.CBOR {
			t.Errorf("FromJSON(%s) is %v, expected CBOR", text, v.Format)
		}
		back, err := codec.ToJSON(v, "")
		if err != nil || string(back) != text {
			t.Errorf("%s came back as %s, error %v", text, back, err)
		}
	}
}

func TestIntegersStayIntegersThroughJSON(t *testing.T) {
	for text, fits := range map[string]bool{"2": true, "-2": true, "2.0": false, "2e0": false, "9007199254740993": true, "9223372036854775808": false} {
		v, err := codec.FromJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		var n int64
		if err := codec.Decode(v, &n); (err == nil) != fits {
			t.Errorf("%s into an int64: %v", text, err)
		} else if fits && fmt.Sprint(n) != text {
			t.Errorf("%s became %d", text, n)
		}
	}
}

func TestWhatIsNotJSONIsRefused(t *testing.T) {
	for _, text := range []string{
		``, `x`, `{`, `{"a"}`, `[1,]`, `1 2`, `"\ud800`, "\"\xff\"", `01`, `1e999`, `nan`,
		strings.Repeat("[", 100) + strings.Repeat("]", 100),
		strings.Repeat("[", 1e6),
	} {
		if _, err := codec.FromJSON([]byte(text)); !errors.Is(err, mesh.Invalid) {
			t.Errorf("FromJSON(%.20q): %v, expected Invalid", text, err)
		} else if len(err.Error()) > 300 {
			t.Errorf("the error has %d bytes", len(err.Error()))
		}
	}
}

func TestValuesAsJSON(t *testing.T) {
	encode := func(v any) mesh.Value {
		value, err := codec.Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	for _, test := range []struct {
		v            mesh.Value
		indent, want string
	}{
		{encode("a<b"), "", `"a<b"`},
		{encode([]byte{0, 0xff}), "", `"AP8="`},
		{encode(map[int]bool{2: true, -1: false}), "", `{"-1":false,"2":true}`},
		{encode(map[string]any{"b": []byte("x"), "a": 1}), "", `{"a":1,"b":"eA=="}`},
		{encode([]int{1}), "  ", "[\n  1\n]"},
		{mesh.Value{}, "", `null`},
		{mesh.Value{Format: mesh.JSON, Data: []byte(` { "a" : 1.0 } `)}, "", `{"a":1.0}`},
		{mesh.Value{Format: mesh.JSON, Data: []byte(`{"a":1} `)}, " ", "{\n \"a\": 1\n}"},
		{mesh.Value{Format: mesh.Protobuf, Data: []byte("\x0a\x07x/y.Zzz\x12\x01a")}, "", `{"@type":"x/y.Zzz","value":"YQ=="}`},
	} {
		if text, err := codec.ToJSON(test.v, test.indent); err != nil || string(text) != test.want {
			t.Errorf("%v %q: got %s, %v; expected %s", test.v.Format, test.v.Data, text, err, test.want)
		}
	}
	for _, v := range []mesh.Value{
		encode(math.Inf(1)), encode([]float64{math.NaN()}), encode(map[any]int{"1": 1, 1: 2}), encode(map[bool]int{true: 1}),
		{Format: mesh.CBOR}, {Format: 9}, {Format: mesh.JSON, Data: []byte("{")}, {Format: mesh.Protobuf, Data: []byte{0xff}},
	} {
		if text, err := codec.ToJSON(v, ""); !errors.Is(err, mesh.Invalid) {
			t.Errorf("%v %q: got %s, %v; expected Invalid", v.Format, v.Data, text, err)
		}
	}
}
