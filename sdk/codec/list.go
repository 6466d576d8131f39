//go:build !wasip1

package codec

import (
	"encoding/json"

	"github.com/fxamacker/cbor/v2"

	"github.com/virga-mesh/virga/mesh"
)

// Elements gives the elements of a list, a CBOR or JSON array, each in the
// format of the list. Anything else is an Invalid error that says what came.
func Elements(list mesh.Value) ([]mesh.Value, error) {
	switch list.Format {
	case mesh.CBOR:
		var items []cbor.RawMessage
		if len(list.Data) == 0 || list.Data[0]&majorMask != majorArray {
			return nil, notAList(list)
		}
		if err := decMode.Unmarshal(list.Data, &items); err != nil {
			return nil, invalid("read list", "%w", err)
		}
		return valuesOf(items, mesh.CBOR), nil
	case mesh.JSON:
		var items []json.RawMessage
		if err := json.Unmarshal(list.Data, &items); err != nil || items == nil {
			return nil, notAList(list)
		}
		return valuesOf(items, mesh.JSON), nil
	}
	return nil, notAList(list)
}

func valuesOf[T ~[]byte](items []T, format mesh.Format) []mesh.Value {
	values := make([]mesh.Value, len(items))
	for i, item := range items {
		values[i] = mesh.Value{Format: format, Data: item}
	}
	return values
}

func notAList(v mesh.Value) error {
	if v.IsZero() {
		return invalid("read list", "expected a list, a CBOR or JSON array, got no value")
	}
	var tree any
	if v.Format == mesh.CBOR || v.Format == mesh.JSON {
		if err := Decode(v, &tree); err != nil {
			return err
		}
		return invalid("read list", "expected a list, a CBOR or JSON array, got %s: %s", v.Format, kindOf(tree))
	}
	return invalid("read list", "expected a list, a CBOR or JSON array, got %s of %d bytes", v.Format, len(v.Data))
}

func kindOf(tree any) string {
	switch tree.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "text"
	case []byte:
		return "bytes"
	case map[string]any:
		return "a map"
	}
	return "a number"
}

// List gives elements as one list in a format, CBOR or JSON, which Elements
// reads. CBOR holds them as Array does, JSON as ToJSON writes them.
func List(format mesh.Format, elements []mesh.Value) (mesh.Value, error) {
	if format != mesh.JSON {
		return Array(elements)
	}
	data := []byte{'['}
	for i, v := range elements {
		if i > 0 {
			data = append(data, ',')
		}
		text, err := ToJSON(v, "")
		if err != nil {
			return mesh.Value{}, err
		}
		data = append(data, text...)
	}
	return mesh.Value{Format: mesh.JSON, Data: append(data, ']')}, nil
}
