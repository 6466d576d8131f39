package main

import (
	"encoding/json"

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
