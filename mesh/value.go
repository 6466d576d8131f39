package mesh

import "fmt"

// Format says how the bytes of a Value are to be read. The numbers are part
// of the wire and storage formats: append, never renumber.
type Format uint8

// The formats of values.
const (
	Raw      Format = 1 // bytes that the mesh does not look into
	Text     Format = 2 // UTF-8
	JSON     Format = 3 // RFC 8259
	CBOR     Format = 4 // RFC 8949; what typed Go values become
	Protobuf Format = 5 // a serialised google.protobuf.Any
)

var formatNames = [...]string{Raw: "raw", Text: "text", JSON: "json", CBOR: "cbor", Protobuf: "protobuf"}

// String is the format's name.
func (f Format) String() string {
	if int(f) < len(formatNames) && formatNames[f] != "" {
		return formatNames[f]
	}
	return fmt.Sprintf("format(%d)", uint8(f))
}

// Valid reports whether f is a format that this version knows.
func (f Format) Valid() bool { return f >= Raw && f <= Protobuf }

// Value is a self-describing value: an argument, a result, the payload of a
// register. The zero Value is "no value". Whoever holds a Value must not
// change its Data: values are shared, not copied, within a node.
type Value struct {
	Format Format
	Data   []byte
}

// IsZero reports whether v is "no value".
func (v Value) IsZero() bool { return v.Format == 0 }

// AppendBinary appends the format byte and the data: the form in which a lattice holds a value.
func (v Value) AppendBinary(dst []byte) []byte {
	return append(append(dst, byte(v.Format)), v.Data...)
}

// DecodeValue reads what AppendBinary writes. The value aliases b.
func DecodeValue(b []byte) (Value, error) {
	if len(b) == 0 || !Format(b[0]).Valid() {
		return Value{}, Errorf(Invalid, "decode value", "expected a format byte of 1 to %d before the data", Protobuf)
	}
	return Value{Format: Format(b[0]), Data: b[1:]}, nil
}
