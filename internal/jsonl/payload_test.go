package jsonl

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

func encoded(t *testing.T, v any) []byte {
	t.Helper()
	value, err := codec.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return value.AppendBinary(nil)
}

func of(format mesh.Format, data string) []byte {
	return mesh.Value{Format: format, Data: []byte(data)}.AppendBinary(nil)
}

func TestPayloadsAreReadable(t *testing.T) {
	for _, c := range []struct {
		payload []byte
		want    string
	}{
		{encoded(t, "hello"), `"hello"`},
		{encoded(t, "<a> & \"b\"\n"), `"<a> & \"b\"\n"`},
		{encoded(t, 12), `12`},
		{encoded(t, -1.5), `-1.5`},
		{encoded(t, 2.0), `2.0`},
		{encoded(t, true), `true`},
		{encoded(t, nil), `null`},
		{encoded(t, []int{1, 2}), `[1,2]`},
		{encoded(t, map[string]any{"name": "Ada"}), `{"cbor":{"name":"Ada"}}`},
		{encoded(t, uint64(math.MaxUint64)), `18446744073709551615`},
		{of(mesh.CBOR, "\x63abc"), `{"cbor":"abc"}`},
		{of(mesh.CBOR, "\x18\x05"), `{"format":"cbor","base64":"GAU="}`}, // not the shortest encoding of 5
		{encoded(t, []any{[]byte{1}}), `{"format":"cbor","base64":"gUEB"}`},
		{encoded(t, math.Inf(1)), `{"format":"cbor","base64":"+XwA"}`},
		{encoded(t, []byte{0xff, 0}), `{"raw":"/wA="}`},
		{of(mesh.JSON, `{"b": 1, "a":[]}`), `{"json":{"b": 1, "a":[]}}`},
		{of(mesh.JSON, "{\n}"), `{"format":"json","base64":"ewp9"}`},
		{of(mesh.JSON, "not JSON"), `{"format":"json","base64":"bm90IEpTT04="}`},
		{of(mesh.Text, "\xff"), `{"format":"text","base64":"/w=="}`},
		{encoded(t, timestamppb.New(time.Unix(7, 0))), `{"protobuf":{"type":"type.googleapis.com/google.protobuf.Timestamp","value":"CAc="}}`},
		{of(mesh.Protobuf, "\xff"), `{"format":"protobuf","base64":"/w=="}`},
		{[]byte("no value"), `{"bytes":"bm8gdmFsdWU="}`},
		{nil, `{"bytes":""}`},
	} {
		got := appendPayload(nil, c.payload)
		if string(got) != c.want {
			t.Errorf("%q is %s: want %s", c.payload, got, c.want)
		}
		if back, err := parsePayload(got); err != nil || !bytes.Equal(back, c.payload) {
			t.Errorf("%s gives back %q, %v: want %q", got, back, err, c.payload)
		}
	}
}

func TestPayloadsMayNameTheirFormat(t *testing.T) {
	for text, want := range map[string][]byte{
		`{"text":"hello"}`:                 encoded(t, "hello"),
		`{"cbor":5}`:                       encoded(t, 5),
		`{"base64":"aGk=","format":"raw"}`: encoded(t, []byte("hi")),
	} {
		if got, err := parsePayload([]byte(text)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is %q, %v: want %q", text, got, err, want)
		}
	}
}

// Whatever bytes a payload has, its text gives them back.
func TestAnyPayloadComesBack(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 20000 {
		payload := make([]byte, rng.IntN(12))
		for i := range payload {
			if payload[i] = byte(rng.IntN(256)); rng.IntN(2) == 0 {
				payload[i] = ` {}[]"1,:ntrue\`[rng.IntN(16)%15]
			}
		}
		if len(payload) > 0 && rng.IntN(8) > 0 {
			payload[0] = byte(rng.IntN(7))
		}
		text := appendPayload(nil, payload)
		if back, err := parsePayload(text); err != nil || !bytes.Equal(back, payload) {
			t.Fatalf("%s gives back %q, %v: want %q", text, back, err, payload)
		}
	}
}
