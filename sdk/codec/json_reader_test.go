package codec_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

func TestJSONReaderReadsWhatToJSONWrites(t *testing.T) {
	long := strings.Repeat("é\"\\\n<\u2028 x", 4000)
	for _, v := range []mesh.Value{
		{},
		{Format: mesh.Raw, Data: []byte{}},
		{Format: mesh.Raw, Data: []byte{0, 1, 2, 0xff}},
		{Format: mesh.Raw, Data: bytes.Repeat([]byte{1, 2, 3, 4, 5}, 10000)},
		{Format: mesh.Text},
		{Format: mesh.Text, Data: []byte(long)},
		{Format: mesh.Text, Data: []byte("x" + long)},
		{Format: mesh.JSON, Data: []byte(" { \"a b\" : [ 1 ,\n2.50 ] , \"\\\" \\\\\" : \"\\u00e9 \" } ")},
		{Format: mesh.JSON, Data: []byte("[" + strings.Repeat("\" \\\" \", ", 5000) + "1]")},
		{Format: mesh.CBOR, Data: []byte{0x82, 0x01, 0x61, 'x'}},
	} {
		want, err := codec.ToJSON(v, "")
		if err != nil {
			t.Fatal(err)
		}
		r, err := codec.JSONReader(v)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v of %d bytes reads as %.60q (%d bytes), %v; want %.60q (%d bytes)", v.Format, len(v.Data), got, len(got), err, want, len(want))
		}
	}
}

func TestJSONReaderRefusesWhatToJSONRefuses(t *testing.T) {
	for _, v := range []mesh.Value{
		{Format: mesh.Text, Data: []byte{0xff}},
		{Format: mesh.JSON, Data: []byte(`{"a":`)},
		{Format: mesh.JSON, Data: []byte{'"', 0xff, '"'}},
		{Format: mesh.CBOR, Data: []byte{0x82, 0x01}},
	} {
		_, want := codec.ToJSON(v, "")
		_, err := codec.JSONReader(v)
		if fmt.Sprint(err) != fmt.Sprint(want) || want != nil && !errors.Is(err, mesh.Invalid) {
			t.Errorf("%v: %v, want %v", v, err, want)
		}
	}
}
