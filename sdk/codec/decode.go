package codec

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"

	"github.com/virga-mesh/virga/mesh"
)

// Decode reads v into what into points to, which shares no bytes with v
// unless it is a mesh.Value. What does not fit exactly is an Invalid error
// that says what was expected and what came, and into may then hold a part.
// Into an any, Raw gives []byte, Text a string, CBOR and JSON what the data
// holds: int64, float64, bool, string, []byte, nil, []any, map[string]any.
func Decode(v mesh.Value, into any) error {
	if into, ok := into.(*mesh.Value); ok {
		*into = v
		return nil
	}
	switch v.Format {
	case mesh.CBOR:
		return decodeCBOR(v.Data, into)
	case mesh.Text:
		return decodeText(v.Data, into)
	case mesh.Raw:
		return decodeRaw(v.Data, into)
	case mesh.JSON:
		transcoded, err := FromJSON(v.Data)
		if err != nil {
			return err
		}
		return decodeCBOR(transcoded.Data, into)
	case mesh.Protobuf:
		return decodeProto(v.Data, into)
	}
	if v.IsZero() {
		return decodeNothing(into)
	}
	return invalid("decode", "format %d: expected 1 to %d", v.Format, mesh.Protobuf)
}

func decodeText(data []byte, into any) error {
	if !utf8.Valid(data) {
		return invalid("decode", "text that is not UTF-8")
	}
	switch into := into.(type) {
	case *string:
		*into = string(data)
		return nil
	case *any:
		*into = string(data)
		return nil
	}
	if target := reflect.ValueOf(into); isSettable(target, reflect.String) {
		target.Elem().SetString(string(data))
		return nil
	}
	return mismatch(into, "text")
}

func decodeRaw(data []byte, into any) error {
	switch into := into.(type) {
	case *[]byte:
		*into = bytes.Clone(data)
		return nil
	case *any:
		*into = bytes.Clone(data)
		return nil
	}
	return mismatch(into, "raw bytes")
}

func decodeNothing(into any) error {
	target := reflect.ValueOf(into)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return mismatch(into, "no value")
	}
	elem := target.Elem()
	if !isNillable(elem.Kind()) && elem.Type().Size() != 0 {
		return mismatch(into, "no value")
	}
	elem.SetZero()
	return nil
}

func decodeCBOR(data []byte, into any) error {
	switch into := into.(type) {
	case *int:
		if n, ok := readInt(data); ok && n >= math.MinInt && n <= math.MaxInt {
			*into = int(n)
			return nil
		}
	case *int64:
		if n, ok := readInt(data); ok {
			*into = n
			return nil
		}
	case *bool:
		if len(data) == 1 && (data[0] == cborTrue || data[0] == cborFalse) {
			*into = data[0] == cborTrue
			return nil
		}
	}
	if isNull(data) && !acceptsNull(into) {
		return mismatch(into, "null")
	}
	if err := decMode.Unmarshal(data, into); err != nil {
		return explain(data, into, err)
	}
	return nil
}

// readInt reads data that is one CBOR integer, whole, within int64.
func readInt(data []byte) (int64, bool) {
	if len(data) == 0 {
		return 0, false
	}
	major, n, width := data[0]&majorMask, uint64(data[0]&^majorMask), 0
	if n >= 24 {
		if n > 27 {
			return 0, false
		}
		width = 1 << (n - 24)
		n = 0
	}
	if len(data) != 1+width || major > majorNegative {
		return 0, false
	}
	for _, b := range data[1:] {
		n = n<<8 | uint64(b)
	}
	if n > math.MaxInt64 {
		return 0, false
	}
	if major == majorNegative {
		return ^int64(n), true
	}
	return int64(n), true
}

func isNull(data []byte) bool {
	return len(data) == 1 && (data[0] == cborNull || data[0] == cborUndefined)
}

func acceptsNull(into any) bool {
	target := reflect.ValueOf(into)
	return target.Kind() == reflect.Pointer && (isNillable(target.Type().Elem().Kind()) || target.Type().Elem().Size() == 0)
}

func isNillable(kind reflect.Kind) bool {
	switch kind {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
		return true
	}
	return false
}

func isSettable(target reflect.Value, kind reflect.Kind) bool {
	return target.Kind() == reflect.Pointer && !target.IsNil() && target.Elem().Kind() == kind
}

func mismatch(into any, got string) error {
	return invalid("decode", "expected %s, got %s", typeName(into), got)
}

// typeName names what a pointer points to.
func typeName(into any) string {
	if t := reflect.TypeOf(into); t != nil && t.Kind() == reflect.Pointer {
		return t.Elem().String()
	}
	return "a pointer to decode into"
}

// explain words an error of the CBOR library about data as the errors of this package.
func explain(data []byte, into any, err error) error {
	var wrong *cbor.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return invalid("decode", "expected %s, got malformed data: %w", typeName(into), err)
	}
	where := ""
	if wrong.StructFieldName != "" {
		where = " in field " + wrong.StructFieldName
	}
	// The library says why a number does not fit in brackets at the end.
	detail := ""
	if _, after, ok := strings.Cut(wrong.Error(), "("); ok {
		detail = " (" + strings.ReplaceAll(after, "Go type ", "")
	}
	got := strings.TrimPrefix(wrong.CBORType, "UTF-8 ")
	if got == "primitives" {
		got = simpleName(data[0])
	}
	return invalid("decode", "expected %s, got %s%s%s", wrong.GoType, got, where, detail)
}

// simpleName names what a value of major type 7 is by its first byte; in the
// inside of an array or a map that byte is not at hand.
func simpleName(first byte) string {
	switch {
	case first == cborTrue || first == cborFalse:
		return "bool"
	case first >= 0xf9 && first <= 0xfb:
		return "float"
	}
	return "float, bool or null"
}

func decodeOptions() cbor.DecOptions {
	return cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		MaxNestedLevels:   maxNesting,
		MaxArrayElements:  math.MaxInt32,
		MaxMapPairs:       math.MaxInt32,
		IntDec:            cbor.IntDecConvertSignedOrBigInt,
		DefaultMapType:    reflect.TypeFor[map[string]any](),
		BinaryUnmarshaler: cbor.BinaryUnmarshalerNone,
		TextUnmarshaler:   cbor.TextUnmarshalerTextString,
	}
}

// maxNesting bounds how deep arrays and maps lie in one another, in both CBOR and JSON.
const maxNesting = 64

var decMode = must(decodeOptions().DecMode())
