package jsonform

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/codec"
)

// Arguments says what the arguments of a call may refer to.
type Arguments struct {
	Namespace string // of keys
	Literal   bool   // nothing refers to anything
}

// Resolve gives an argument that codec.FromJSON read, with references in
// place of the objects that stand for them: {"$ref": "KEY"} for the value of a
// key, {"$future": "RUN"} for the result of a run, {"$literal": JSON} for JSON
// in which these mean nothing.
func (a Arguments) Resolve(v mesh.Value) (any, error) {
	if a.Literal || !bytes.Contains(v.Data, []byte("$")) {
		return v, nil
	}
	var tree any
	if err := codec.Decode(v, &tree); err != nil {
		return nil, err
	}
	return a.resolve(tree)
}

// resolve replaces what stands for something else.
func (a Arguments) resolve(node any) (any, error) {
	var err error
	switch node := node.(type) {
	case []any:
		for i := range node {
			if node[i], err = a.resolve(node[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for _, marker := range []string{"$ref", "$future", "$literal"} {
			if _, marked := node[marker]; marked {
				return a.marked(marker, node)
			}
		}
		for name := range node {
			if node[name], err = a.resolve(node[name]); err != nil {
				return nil, err
			}
		}
	}
	return node, nil
}

// markers lists what may stand beside each marker.
var markers = map[string][]string{"$ref": {"$namespace", "$raw"}, "$future": {"$raw"}, "$literal": nil}

// marked reads an object that stands for something else.
func (a Arguments) marked(marker string, object map[string]any) (any, error) {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if name != marker && !slices.Contains(markers[marker], name) {
			return nil, mesh.Errorf(mesh.Invalid, "argument", "member %q beside %s: expected %s; an object that is meant as it stands goes into {\"$literal\": ...}", name, marker, orNothing(markers[marker]))
		}
	}
	if marker == "$literal" {
		return object[marker], nil
	}
	text, isText := object[marker].(string)
	raw, isBool := object["$raw"].(bool)
	namespace, named := object["$namespace"].(string)
	if !named {
		namespace = a.Namespace
	}
	_, rawGiven := object["$raw"]
	_, namespaceGiven := object["$namespace"]
	switch {
	case !isText:
		return nil, mesh.Errorf(mesh.Invalid, "argument", "%s with a %T: expected a text", marker, object[marker])
	case rawGiven && !isBool || namespaceGiven && !named:
		return nil, mesh.Errorf(mesh.Invalid, "argument", "%s %q: expected true or false for $raw, and a text for $namespace", marker, text)
	case marker == "$ref":
		return ref(namespace, text, raw)
	}
	id, err := mesh.ParseRunID(text)
	if err != nil {
		return nil, mesh.AsError("argument", err)
	}
	return sdk.RunRef{Run: id, Raw: raw}, nil
}

func orNothing(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

// Ref gives a reference to a key as an argument.
func (a Arguments) Ref(name string) (any, error) { return ref(a.Namespace, name, false) }

func ref(namespace, name string, raw bool) (any, error) {
	ref := sdk.Ref{Key: mesh.Key{Namespace: namespace, Name: name}, Raw: raw}
	if err := ref.Key.Validate(); err != nil {
		return nil, mesh.Errorf(mesh.Invalid, "argument", "reference to %q: %s", name, mesh.AsError("", err).Text())
	}
	return ref, nil
}
