package jsonform

import (
	"encoding/json"
	"strings"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

// Value gives v as JSON: no value is null, bytes are base64.
func Value(v mesh.Value) (json.RawMessage, error) {
	if v.IsZero() {
		return json.RawMessage("null"), nil
	}
	return codec.ToJSON(v, "")
}

// Text gives v for people: texts as they are, and all else as JSON. No value
// is the empty text.
func Text(v mesh.Value) (string, error) {
	switch v.Format {
	case 0:
		return "", nil
	case mesh.Raw, mesh.Text:
		return string(v.Data), nil
	}
	text, err := codec.ToJSON(v, "")
	if err != nil || !strings.HasPrefix(string(text), `"`) {
		return string(text), err
	}
	var s string
	err = json.Unmarshal(text, &s)
	return s, err
}
