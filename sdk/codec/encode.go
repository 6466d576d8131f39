package codec

import (
	"encoding/binary"
	"math"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"

	"github.com/virga-mesh/virga/mesh"
)

// Encode gives v as a mesh value. Bytes are not copied: v must not change
// afterwards if it is a []byte or a mesh.Value. What has no such form (a
// channel, a function, a string that is not UTF-8) is an Invalid error.
func Encode(v any) (mesh.Value, error) {
	value, err := encode(v)
	if err != nil || value.Format != mesh.CBOR || len(value.Data) < minReference {
		return value, err
	}
	if _, encoded := v.(mesh.Value); encoded {
		return value, nil
	}
	return value, refuseReferences(value.Data)
}

// minReference is less than what a reference takes, in bytes.
const minReference = 24

func encode(v any) (mesh.Value, error) {
	switch v := v.(type) {
	case mesh.Value:
		return v, nil
	case []byte:
		return mesh.Value{Format: mesh.Raw, Data: v}, nil
	case string:
		return encodeText(v)
	case int:
		return encodeInt(int64(v)), nil
	case int64:
		return encodeInt(v), nil
	case bool:
		return encodeBool(v), nil
	}
	if value, ok, err := encodeProto(v); ok || err != nil {
		return value, err
	}
	return encodeCBOR(v)
}

func encodeText(s string) (mesh.Value, error) {
	if !utf8.ValidString(s) {
		return mesh.Value{}, invalid("encode", "a string that is not UTF-8: expected UTF-8, or []byte for other bytes")
	}
	return mesh.Value{Format: mesh.Text, Data: []byte(s)}, nil
}

func encodeBool(b bool) mesh.Value {
	if b {
		return mesh.Value{Format: mesh.CBOR, Data: []byte{cborTrue}}
	}
	return mesh.Value{Format: mesh.CBOR, Data: []byte{cborFalse}}
}

func encodeInt(n int64) mesh.Value {
	data := make([]byte, 0, 9)
	if n < 0 {
		data = appendHead(data, majorNegative, uint64(^n))
	} else {
		data = appendHead(data, majorUnsigned, uint64(n))
	}
	return mesh.Value{Format: mesh.CBOR, Data: data}
}

func encodeCBOR(v any) (mesh.Value, error) {
	data, err := encMode.Marshal(v)
	if err != nil {
		return mesh.Value{}, invalid("encode", "%T has no CBOR form: %w", v, err)
	}
	return mesh.Value{Format: mesh.CBOR, Data: data}, nil
}

// The parts of RFC 8949, section 3, that are written by hand.
const (
	majorUnsigned = 0 << 5
	majorNegative = 1 << 5
	majorBytes    = 2 << 5
	majorText     = 3 << 5
	majorArray    = 4 << 5
	majorMap      = 5 << 5
	majorTag      = 6 << 5
	majorMask     = 7 << 5

	cborFalse     = 0xf4
	cborTrue      = 0xf5
	cborNull      = 0xf6
	cborUndefined = 0xf7
)

// appendHead appends the shortest head for a major type and its argument.
func appendHead(dst []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(dst, major|byte(n))
	case n <= math.MaxUint8:
		return append(dst, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), n)
}

var encMode = must(cbor.EncOptions{
	Sort:            cbor.SortCoreDeterministic,
	ShortestFloat:   cbor.ShortestFloat16,
	NaNConvert:      cbor.NaNConvert7e00,
	InfConvert:      cbor.InfConvertFloat16,
	IndefLength:     cbor.IndefLengthForbidden,
	Time:            cbor.TimeRFC3339Nano,
	BinaryMarshaler: cbor.BinaryMarshalerNone,
	TextMarshaler:   cbor.TextMarshalerTextString,
}.EncMode())

// must is for modes whose options are constants of this package.
func must[T any](mode T, err error) T {
	if err != nil {
		panic(err)
	}
	return mode
}

func invalid(op, format string, args ...any) error {
	return mesh.Errorf(mesh.Invalid, op, format, args...)
}
