package main

import (
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/codec"
)

// argHelp tells how arguments are written; see argReader.
const argHelp = `An argument is JSON. It may refer to what the mesh holds, which is read where the
function runs:
  @KEY                     the value of a key
  {"$ref": "KEY"}          the same, at any depth of a JSON argument; further members:
                           "$namespace": "NS" for a key of another namespace, and
                           "$raw": true for the bytes as they are
  {"$future": "RUN"}       the result of a run, which is waited for; also with "$raw"
  {"$literal": JSON}       JSON as it is, in which $ref and the like mean nothing
With --literal all arguments are JSON as it stands: use it for JSON from elsewhere.
An argument that is - is read from stdin, for values too large for a command line.`

// argReader reads the arguments of calls.
type argReader struct {
	stdin     io.Reader
	namespace string // of keys
	literal   bool   // nothing refers to anything
}

func (r argReader) read(text string) (any, error) {
	if text == "-" {
		all, err := io.ReadAll(r.stdin)
		if err != nil {
			return nil, mesh.Errorf(mesh.Invalid, "read stdin", "%w", err)
		}
		text = string(all)
	}
	if name, refers := strings.CutPrefix(text, "@"); refers && !r.literal {
		return r.ref(r.namespace, name, false)
	}
	v, err := parseArg(text)
	if err != nil || r.literal || !strings.Contains(text, "$") {
		return v, err
	}
	var tree any
	if err := codec.Decode(v, &tree); err != nil {
		return nil, err
	}
	return r.resolve(tree)
}

func (r argReader) readAll(texts []string) ([]any, error) {
	args := make([]any, 0, len(texts))
	for _, text := range texts {
		v, err := r.read(text)
		if err != nil {
			return nil, err
		}
		args = append(args, v)
	}
	return args, nil
}

// resolve replaces what stands for something else.
func (r argReader) resolve(node any) (any, error) {
	var err error
	switch node := node.(type) {
	case []any:
		for i := range node {
			if node[i], err = r.resolve(node[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for _, marker := range []string{"$ref", "$future", "$literal"} {
			if _, marked := node[marker]; marked {
				return r.marked(marker, node)
			}
		}
		for name := range node {
			if node[name], err = r.resolve(node[name]); err != nil {
				return nil, err
			}
		}
	}
	return node, nil
}

// markers lists what may stand beside each marker.
var markers = map[string][]string{"$ref": {"$namespace", "$raw"}, "$future": {"$raw"}, "$literal": nil}

// marked reads an object that stands for something else.
func (r argReader) marked(marker string, object map[string]any) (any, error) {
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
		namespace = r.namespace
	}
	_, rawGiven := object["$raw"]
	_, namespaceGiven := object["$namespace"]
	switch {
	case !isText:
		return nil, mesh.Errorf(mesh.Invalid, "argument", "%s with a %T: expected a text", marker, object[marker])
	case rawGiven && !isBool || namespaceGiven && !named:
		return nil, mesh.Errorf(mesh.Invalid, "argument", "%s %q: expected true or false for $raw, and a text for $namespace", marker, text)
	case marker == "$ref":
		return r.ref(namespace, text, raw)
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

func (r argReader) ref(namespace, name string, raw bool) (any, error) {
	ref := sdk.Ref{Key: mesh.Key{Namespace: namespace, Name: name}, Raw: raw}
	if err := ref.Key.Validate(); err != nil {
		return nil, mesh.Errorf(mesh.Invalid, "argument", "reference to %q: %s", name, mesh.AsError("", err).Text())
	}
	return ref, nil
}
