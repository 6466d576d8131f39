package main

import (
	"encoding/json"
	"strings"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

// parseArg reads an argument of a function: one JSON value.
func parseArg(text string) (mesh.Value, error) {
	v, err := codec.FromJSON([]byte(text))
	switch {
	case err == nil:
		return v, nil
	case json.Valid([]byte(text)):
		return mesh.Value{}, mesh.AsError("argument", err)
	case len(text) > maxShown:
		return mesh.Value{}, mesh.Errorf(mesh.Invalid, "argument", "%.*q... is not JSON: expected a JSON value", maxShown, text)
	}
	return mesh.Value{}, mesh.Errorf(mesh.Invalid, "argument", "%q is not JSON: expected a JSON value; a text needs its quotes, as in '%q'", text, text)
}

// maxShown bounds how much of an argument an error repeats, in characters.
const maxShown = 64

// valueJSON gives v as JSON, for output as JSON.
func valueJSON(v mesh.Value) (json.RawMessage, error) {
	if v.IsZero() {
		return json.RawMessage("null"), nil
	}
	return codec.ToJSON(v, "")
}

// valueText gives v for people: texts as they are, and all else as JSON. No
// value is the empty text.
func valueText(v mesh.Value) (string, error) {
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
