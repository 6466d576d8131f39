package main

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

// Values in DAG files are encoded as what functions return: text as text,
// !!binary as raw bytes, all else as CBOR. The tags !json, !cbor and
// !protobuf hold values of those formats as they are: JSON as its text, the
// others in base64.
var valueTags = map[string]mesh.Format{"!json": mesh.JSON, "!cbor": mesh.CBOR, "!protobuf": mesh.Protobuf}

// value reads a value.
func (f dagFile) value(node *yaml.Node) (mesh.Value, error) {
	if format, tagged := valueTags[node.Tag]; tagged {
		return f.taggedValue(node, format)
	}
	plain, err := f.plain(node, 0)
	if err != nil {
		return mesh.Value{}, err
	}
	v, err := codec.Encode(plain)
	if err != nil {
		return mesh.Value{}, f.at(node.Line, err)
	}
	return v, nil
}

func (f dagFile) taggedValue(node *yaml.Node, format mesh.Format) (mesh.Value, error) {
	data := []byte(node.Value)
	if format != mesh.JSON {
		var err error
		if data, err = base64.StdEncoding.DecodeString(node.Value); err != nil {
			return mesh.Value{}, f.errorf(node.Line, "%s %.64q: expected base64", node.Tag, node.Value)
		}
	}
	v := mesh.Value{Format: format, Data: data}
	if _, err := codec.ToJSON(v, ""); err != nil && format != mesh.CBOR {
		return v, f.at(node.Line, err)
	}
	return v, nil
}

// maxValueDepth bounds how deep values lie in one another, as package codec does.
const maxValueDepth = 64

// plain gives the Go value of a node.
func (f dagFile) plain(node *yaml.Node, depth int) (any, error) {
	if depth > maxValueDepth {
		return nil, f.errorf(node.Line, "nested too deep: expected at most %d levels", maxValueDepth)
	}
	switch node.Kind {
	case yaml.ScalarNode:
		return f.plainScalar(node)
	case yaml.SequenceNode:
		list := make([]any, len(node.Content))
		for i, item := range node.Content {
			var err error
			if list[i], err = f.plain(item, depth+1); err != nil {
				return nil, err
			}
		}
		return list, nil
	case yaml.MappingNode:
		object := map[string]any{}
		for i := 0; i+1 < len(node.Content); i += 2 {
			key := node.Content[i]
			if _, twice := object[key.Value]; twice || key.ShortTag() != "!!str" {
				return nil, f.errorf(key.Line, "key %.64q: expected texts, each once", key.Value)
			}
			var err error
			if object[key.Value], err = f.plain(node.Content[i+1], depth+1); err != nil {
				return nil, err
			}
		}
		return object, nil
	}
	return nil, f.errorf(node.Line, "%s: expected a value", kindOf(node))
}

func (f dagFile) plainScalar(node *yaml.Node) (any, error) {
	switch tag := node.ShortTag(); tag {
	case "!!str", "!!timestamp":
		return node.Value, nil
	case "!!binary":
		data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(node.Value), ""))
		if err != nil {
			return nil, f.errorf(node.Line, "!!binary %.64q: expected base64", node.Value)
		}
		return data, nil
	case "!!int", "!!float", "!!bool", "!!null":
		var v any
		if err := node.Decode(&v); err != nil {
			return nil, f.errorf(node.Line, "%.64q is no %s", node.Value, strings.TrimPrefix(tag, "!!"))
		}
		return v, nil
	default:
		return nil, f.errorf(node.Line, "tag %s: expected none, !!binary, !json, !cbor or !protobuf", tag)
	}
}

// valueNode writes what value reads.
func valueNode(v mesh.Value) *yaml.Node {
	node := &yaml.Node{Kind: yaml.ScalarNode}
	var plain any
	if v.Format == mesh.Text || v.Format == mesh.Raw || v.Format == mesh.CBOR {
		if codec.Decode(v, &plain) == nil && encodePlain(node, plain) == nil {
			if back, err := (dagFile{}).value(node); err == nil && back.Format == v.Format && slices.Equal(back.Data, v.Data) {
				return node
			}
		}
	}
	tagged := &yaml.Node{Kind: yaml.ScalarNode, Style: yaml.TaggedStyle, Value: base64.StdEncoding.EncodeToString(v.Data)}
	for tag, format := range valueTags {
		if format == v.Format {
			tagged.Tag = tag
		}
	}
	if v.Format == mesh.JSON {
		tagged.Value = string(v.Data)
	}
	return tagged
}

func encodePlain(node *yaml.Node, plain any) error {
	switch plain := plain.(type) {
	case []byte:
		*node = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!binary", Value: base64.StdEncoding.EncodeToString(plain)}
		return nil
	case float64:
		if text := strconv.FormatFloat(plain, 'f', -1, 64); !strings.ContainsAny(text, ".INn") && len(text) < 20 {
			*node = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: text + ".0"}
			return nil
		}
	}
	return node.Encode(plain)
}
