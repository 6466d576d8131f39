package codec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

type point struct {
	X     int               `json:"x"`
	Y     *float64          `json:"y,omitempty"`
	Tags  []string          `json:"tags,omitempty"`
	Bytes []byte            `json:"bytes,omitempty"`
	More  map[string]uint16 `json:"more,omitempty"`
}

type title string

func half() *float64 { f := 0.5; return &f }

func TestWhatGoesInComesOut(t *testing.T) {
	huge, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	for _, test := range []struct {
		in     any
		format mesh.Format
	}{
		{[]byte("\x00\xff"), mesh.Raw},
		{[]byte{}, mesh.Raw},
		{"text", mesh.Text},
		{"", mesh.Text},
		{title("a named string"), mesh.CBOR},
		{0, mesh.CBOR}, {23, mesh.CBOR}, {24, mesh.CBOR}, {-1, mesh.CBOR}, {-24, mesh.CBOR}, {-25, mesh.CBOR},
		{255, mesh.CBOR}, {256, mesh.CBOR}, {65535, mesh.CBOR}, {65536, mesh.CBOR}, {1 << 32, mesh.CBOR},
		{math.MaxInt, mesh.CBOR}, {math.MinInt, mesh.CBOR},
		{int64(math.MinInt64), mesh.CBOR}, {int8(-128), mesh.CBOR}, {uint64(math.MaxUint64), mesh.CBOR},
		{1.5, mesh.CBOR}, {math.Inf(-1), mesh.CBOR}, {float32(0.1), mesh.CBOR}, {math.MaxFloat64, mesh.CBOR},
		{true, mesh.CBOR}, {false, mesh.CBOR},
		{*huge, mesh.CBOR},
		{[]int{}, mesh.CBOR}, {[]int{1, 2, 3}, mesh.CBOR}, {[]string{"a", "b"}, mesh.CBOR}, {[][]byte{{1}, {}}, mesh.CBOR},
		{[3]int{1, 2, 3}, mesh.CBOR},
		{map[string]int{"b": 1, "a": 2}, mesh.CBOR}, {map[int]string{-1: "x"}, mesh.CBOR},
		{point{X: 1, Y: half(), Tags: []string{"t"}, Bytes: []byte{0}, More: map[string]uint16{"m": 65535}}, mesh.CBOR},
		{struct{}{}, mesh.CBOR},
		{time.Date(2024, 2, 29, 23, 59, 59, 123456789, time.UTC), mesh.CBOR},
	} {
		v, err := codec.Encode(test.in)
		if err != nil {
			t.Errorf("Encode(%#v): %v", test.in, err)
			continue
		}
		if v.Format != test.format {
			t.Errorf("Encode(%#v) is %v, expected %v", test.in, v.Format, test.format)
		}
		out := reflect.New(reflect.TypeOf(test.in))
		if err := codec.Decode(v, out.Interface()); err != nil {
			t.Errorf("Decode of %#v: %v", test.in, err)
		} else if !reflect.DeepEqual(out.Elem().Interface(), test.in) {
			t.Errorf("%#v came back as %#v", test.in, out.Elem().Interface())
		}
	}
}

func TestEqualValuesHaveEqualBytes(t *testing.T) {
	a := map[string]int{}
	b := map[string]int{}
	for i := range 50 {
		a[strings.Repeat("k", i)] = i
		b[strings.Repeat("k", 49-i)] = 49 - i
	}
	first, _ := codec.Encode(a)
	second, _ := codec.Encode(b)
	if !bytes.Equal(first.Data, second.Data) {
		t.Error("two equal maps have different bytes")
	}
}

func TestIntegersAreTheSameByHandAndByLibrary(t *testing.T) {
	for _, n := range []int64{0, 1, 23, 24, 255, 256, 65535, 65536, 1<<32 - 1, 1 << 32, math.MaxInt64, -1, -24, -25, -256, -257, math.MinInt64} {
		byHand, _ := codec.Encode(n)
		type named int64
		byLibrary, _ := codec.Encode(named(n))
		if !bytes.Equal(byHand.Data, byLibrary.Data) {
			t.Errorf("%d: %x by hand, %x by the library", n, byHand.Data, byLibrary.Data)
		}
	}
}

func TestMismatchesSayWhatWasExpected(t *testing.T) {
	encode := func(v any) mesh.Value {
		value, err := codec.Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	json := func(text string) mesh.Value { return mesh.Value{Format: mesh.JSON, Data: []byte(text)} }
	for _, test := range []struct {
		v    mesh.Value
		into any
		want string
	}{
		{encode("x"), new(int), "expected int, got text"},
		{json(`"x"`), new(int), "expected int, got text string"},
		{encode("x"), new([]byte), "expected []uint8, got text"},
		{encode([]byte("x")), new(string), "expected string, got raw bytes"},
		{encode([]byte("x")), new(int), "expected int, got raw bytes"},
		{encode([]string{"x"}), new([]int), "expected int, got text string"},
		{encode(map[string][]byte{"a": nil}), new(int), "expected int, got map"},
		{encode([][]byte{{1}}), new([]string), "expected string, got byte string"},
		{encode(2.0), new(int), "expected int, got float"},
		{encode(300), new(uint8), "expected uint8, got positive integer (300 overflows uint8)"},
		{encode(-1), new(uint), "expected uint, got negative integer"},
		{encode(uint64(math.MaxUint64)), new(int), "expected int, got positive integer (18446744073709551615 overflows int)"},
		{encode(map[string]string{"x": "y"}), new(point), "expected int, got text string in field codec_test.point.x"},
		{encode(nil), new(int), "expected int, got null"},
		{json("null"), new(point), "expected codec_test.point, got null"},
		{mesh.Value{}, new(int), "expected int, got no value"},
		{mesh.Value{Format: 99}, new(int), "format 99: expected 1 to 5"},
		{mesh.Value{Format: mesh.CBOR}, new(int), "expected int, got malformed data"},
		{mesh.Value{Format: mesh.CBOR, Data: []byte{0x01, 0x02}}, new(int), "malformed data"},
		{mesh.Value{Format: mesh.CBOR, Data: []byte{0x1f}}, new(int), "malformed data"},
		{mesh.Value{Format: mesh.CBOR, Data: []byte{0x19, 0x01}}, new(int), "malformed data"},
		{mesh.Value{Format: mesh.CBOR, Data: []byte{0xa2, 0x61, 'a', 1, 0x61, 'a', 2}}, new(map[string]int), "duplicate"},
		{mesh.Value{Format: mesh.Protobuf, Data: []byte{0xff}}, new(int), "google.protobuf.Any"},
		{json("{"), new(any), "expected JSON"},
		{encode(1), 5, "a pointer to decode into"},
		{mesh.Value{}, nil, "a pointer to decode into"},
	} {
		err := codec.Decode(test.v, test.into)
		if !errors.Is(err, mesh.Invalid) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Decode %v %q into %T: got %v, expected an Invalid error with %q", test.v.Format, test.v.Data, test.into, err, test.want)
		}
	}
}

func TestNothingFitsWhatMayBeEmpty(t *testing.T) {
	pointer, none, list, anything := new(int), struct{}{}, []int{1}, any(1)
	for _, into := range []any{&pointer, &none, &list, &anything} {
		if err := codec.Decode(mesh.Value{}, into); err != nil {
			t.Errorf("no value into %T: %v", into, err)
		}
	}
	if pointer != nil || list != nil || anything != nil {
		t.Error("what stood there before is still there")
	}
}

func TestWhatHasNoFormIsRefused(t *testing.T) {
	for _, v := range []any{make(chan int), func() {}, "\xff", map[any]any{"a": make(chan int)}} {
		if _, err := codec.Encode(v); !errors.Is(err, mesh.Invalid) {
			t.Errorf("Encode(%T): %v, expected Invalid", v, err)
		}
	}
}

func TestDecodedBytesAreACopy(t *testing.T) {
	data := []byte("abc")
	v := mesh.Value{Format: mesh.Raw, Data: data}
	var out []byte
	var dynamic any
	if err := errors.Join(codec.Decode(v, &out), codec.Decode(v, &dynamic)); err != nil {
		t.Fatal(err)
	}
	data[0] = 'z'
	if string(out) != "abc" || string(dynamic.([]byte)) != "abc" {
		t.Errorf("changed with its source: %q, %q", out, dynamic)
	}
}

func TestLongAndDeepValues(t *testing.T) {
	numbers := make([]int, 1<<18)
	v, err := codec.Encode(numbers)
	if err != nil {
		t.Fatal(err)
	}
	var back []int
	if err := codec.Decode(v, &back); err != nil || len(back) != len(numbers) {
		t.Errorf("%d numbers came back, error %v", len(back), err)
	}
	deep := mesh.Value{Format: mesh.CBOR, Data: append(bytes.Repeat([]byte{0x81}, 1000), 1)}
	if err := codec.Decode(deep, new(any)); !errors.Is(err, mesh.Invalid) {
		t.Errorf("1000 nested arrays: %v, expected Invalid", err)
	}
	// An array that claims more elements than there are bytes must not be allocated.
	claim := mesh.Value{Format: mesh.CBOR, Data: []byte{0x9a, 0x7f, 0xff, 0xff, 0xff, 0x01}}
	if err := codec.Decode(claim, new([]int)); !errors.Is(err, mesh.Invalid) {
		t.Errorf("an array that is not there: %v, expected Invalid", err)
	}
}

func TestProtobufMessages(t *testing.T) {
	message := durationpb.New(90 * time.Second)
	v, err := codec.Encode(message)
	if err != nil || v.Format != mesh.Protobuf {
		t.Fatalf("%v, %v", v.Format, err)
	}
	var back durationpb.Duration
	if err := codec.Decode(v, &back); err != nil || !proto.Equal(&back, message) {
		t.Errorf("came back as %v, error %v", &back, err)
	}
	var allocated *durationpb.Duration
	if err := codec.Decode(v, &allocated); err != nil || !proto.Equal(allocated, message) {
		t.Errorf("came back as %v, error %v", allocated, err)
	}
	var dynamic any
	if err := codec.Decode(v, &dynamic); err != nil || !proto.Equal(dynamic.(proto.Message), message) {
		t.Errorf("came back as %v, error %v", dynamic, err)
	}
	err = codec.Decode(v, &wrapperspb.StringValue{})
	if want := "expected protobuf message google.protobuf.StringValue, got google.protobuf.Duration"; !errors.Is(err, mesh.Invalid) || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, expected %q", err, want)
	}
	err = codec.Decode(v, new(int))
	if want := "expected int, got protobuf message google.protobuf.Duration"; !errors.Is(err, mesh.Invalid) || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, expected %q", err, want)
	}
	if text, err := codec.ToJSON(v, ""); err != nil || !strings.Contains(string(text), "90s") {
		t.Errorf("%s, %v", text, err)
	}
}

func TestArraysAndMapsOfValues(t *testing.T) {
	number, _ := codec.Encode(7)
	parts := []mesh.Value{
		{Format: mesh.Text, Data: []byte("t")},
		{Format: mesh.Raw, Data: []byte{0xff}},
		{Format: mesh.JSON, Data: []byte(`{"a":[1]}`)},
		number,
		{},
	}
	v, err := codec.Array(parts)
	if err != nil {
		t.Fatal(err)
	}
	var back any
	if err := codec.Decode(v, &back); err != nil {
		t.Fatal(err)
	}
	if want := []any{"t", []byte{0xff}, map[string]any{"a": []any{int64(1)}}, int64(7), nil}; !reflect.DeepEqual(back, want) {
		t.Errorf("got %#v, expected %#v", back, want)
	}
	if _, err := codec.Array([]mesh.Value{{Format: 77}}); !errors.Is(err, mesh.Invalid) {
		t.Errorf("format 77: %v", err)
	}
	v, err = codec.Map([]codec.Member{{Name: "a", Value: number}, {Name: "list", Value: v}})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := codec.ToJSON(v, ""); err != nil || string(text) != `{"a":7,"list":["t","/w==",{"a":[1]},7,null]}` {
		t.Errorf("%s, %v", text, err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, v := range []any{1, "x", []byte("x"), point{X: 1}, []any{1, "a", nil, 1.5}} {
		value, _ := codec.Encode(v)
		f.Add(byte(value.Format), value.Data)
	}
	f.Add(byte(mesh.JSON), []byte(`{"a":[1,2.5e3,null]}`))
	f.Add(byte(mesh.JSON), []byte(`{"":[1e1000]}`))
	f.Fuzz(func(t *testing.T, format byte, data []byte) {
		v := mesh.Value{Format: mesh.Format(format), Data: data}
		for _, into := range []any{new(int), new(string), new([]byte), new(point), new(any), new([]any)} {
			if err := codec.Decode(v, into); err != nil && !errors.Is(err, mesh.Invalid) {
				t.Errorf("into %T: %v, expected an Invalid error", into, err)
			}
		}
		text, err := codec.ToJSON(v, "")
		if err != nil {
			return
		}
		_, err = codec.FromJSON(text)
		if v.Format == mesh.JSON && holdsNumberBeyondFloat(text) {
			if !errors.Is(err, mesh.Invalid) {
				t.Errorf("FromJSON took %q, with a number that no float holds: %v", text, err)
			}
			return // JSON passes through ToJSON as it is
		}
		if err != nil {
			t.Errorf("ToJSON wrote %q, which FromJSON refuses: %v", text, err)
		}
	})
}

// holdsNumberBeyondFloat reports whether a JSON text has a number with a
// fraction or exponent that a float64 cannot hold.
func holdsNumberBeyondFloat(text []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	for {
		token, err := decoder.Token()
		if err != nil {
			return false
		}
		number, ok := token.(json.Number)
		if !ok || !strings.ContainsAny(number.String(), ".eE") {
			continue
		}
		if _, err := number.Float64(); err != nil {
			return true
		}
	}
}

func BenchmarkInt(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		v, _ := codec.Encode(1234)
		var n int
		if err := codec.Decode(v, &n); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStruct(b *testing.B) {
	b.ReportAllocs()
	in := point{X: 1, Tags: []string{"a", "b"}}
	for b.Loop() {
		v, _ := codec.Encode(in)
		var out point
		if err := codec.Decode(v, &out); err != nil {
			b.Fatal(err)
		}
	}
}
