package codec

import "github.com/virga-mesh/virga/mesh"

// Array gives elements as one CBOR array: text as text strings, raw bytes
// and protobuf as byte strings, CBOR and JSON as what they hold.
func Array(elements []mesh.Value) (mesh.Value, error) {
	size := 9
	for _, v := range elements {
		size += len(v.Data) + 9
	}
	data := appendHead(make([]byte, 0, size), majorArray, uint64(len(elements)))
	for _, v := range elements {
		var err error
		if data, err = appendItem(data, v); err != nil {
			return mesh.Value{}, err
		}
	}
	return mesh.Value{Format: mesh.CBOR, Data: data}, nil
}

// Member is one entry of a map.
type Member struct {
	Name  string
	Value mesh.Value
}

// Map gives members as one CBOR map, in the order given, which must be free
// of duplicates. The values are held as Array holds them.
func Map(members []Member) (mesh.Value, error) {
	data := appendHead(nil, majorMap, uint64(len(members)))
	for _, m := range members {
		var err error
		if data, err = appendItem(data, mesh.Value{Format: mesh.Text, Data: []byte(m.Name)}); err != nil {
			return mesh.Value{}, err
		}
		if data, err = appendItem(data, m.Value); err != nil {
			return mesh.Value{}, err
		}
	}
	return mesh.Value{Format: mesh.CBOR, Data: data}, nil
}

func appendItem(dst []byte, v mesh.Value) ([]byte, error) {
	switch v.Format {
	case mesh.CBOR:
		return append(dst, v.Data...), nil
	case mesh.Text:
		return append(appendHead(dst, majorText, uint64(len(v.Data))), v.Data...), nil
	case mesh.Raw, mesh.Protobuf:
		return append(appendHead(dst, majorBytes, uint64(len(v.Data))), v.Data...), nil
	case mesh.JSON:
		transcoded, err := FromJSON(v.Data)
		return append(dst, transcoded.Data...), err
	}
	if v.IsZero() {
		return append(dst, cborNull), nil
	}
	return nil, invalid("encode", "format %d: expected 1 to %d", v.Format, mesh.Protobuf)
}
