//go:build !wasip1

package codec

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"

	"github.com/virga-mesh/virga/mesh"
)

// FromJSON reads one JSON text (RFC 8259) as a CBOR value: numbers without
// fraction or exponent become integers of any size, the others float64.
func FromJSON(text []byte) (mesh.Value, error) {
	if !utf8.Valid(text) {
		return mesh.Value{}, invalid("read JSON", "the text is not UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return mesh.Value{}, invalidJSON(text, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return mesh.Value{}, invalid("read JSON", "expected one value, got more after offset %d", decoder.InputOffset())
	}
	tree, err := withNumbers(tree, 0)
	if err != nil {
		return mesh.Value{}, err
	}
	return encodeCBOR(tree)
}

func invalidJSON(text []byte, err error) error {
	const shown = 40
	if len(text) > shown {
		text = append(bytes.Clone(text[:shown]), "..."...)
	}
	return invalid("read JSON", "expected JSON, got %q: %w", text, err)
}

// withNumbers replaces each json.Number by the Go number that it writes.
func withNumbers(node any, depth int) (any, error) {
	if depth > maxNesting {
		return nil, invalid("read JSON", "nested too deep: expected at most %d levels", maxNesting)
	}
	var err error
	switch node := node.(type) {
	case json.Number:
		return parseNumber(node.String())
	case []any:
		for i := range node {
			if node[i], err = withNumbers(node[i], depth+1); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for name := range node {
			if node[name], err = withNumbers(node[name], depth+1); err != nil {
				return nil, err
			}
		}
	}
	return node, nil
}

func parseNumber(literal string) (any, error) {
	if strings.ContainsAny(literal, ".eE") {
		f, err := strconv.ParseFloat(literal, 64)
		if err != nil {
			return nil, invalid("read JSON", "number %s: expected one that fits a float64", literal)
		}
		return f, nil
	}
	if n, err := strconv.ParseInt(literal, 10, 64); err == nil {
		return n, nil
	}
	n, ok := new(big.Int).SetString(literal, 10)
	if !ok {
		return nil, invalid("read JSON", "number %s: expected decimal digits", literal)
	}
	return n, nil
}

// ToJSON writes v as JSON: bytes as base64 (RFC 4648, padded), text as a
// string, no value as null, floats always with a fraction or exponent.
// indent is that of each level; empty for one line. A value that JSON cannot
// hold (an infinity, a map under keys other than strings and integers) is an
// Invalid error.
func ToJSON(v mesh.Value, indent string) ([]byte, error) {
	switch v.Format {
	case mesh.JSON:
		return layOut(v.Data, indent)
	case mesh.Protobuf:
		data, err := protoToJSON(v.Data)
		if err != nil {
			return nil, err
		}
		return layOut(data, indent)
	}
	var tree any
	if err := decodeTree(v, &tree); err != nil {
		return nil, err
	}
	tree, err := asJSON(tree)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	if err := encoder.Encode(tree); err != nil {
		return nil, invalid("write JSON", "%w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

func layOut(text []byte, indent string) ([]byte, error) {
	if !utf8.Valid(text) {
		return nil, invalid("write JSON", "the text is not UTF-8")
	}
	var out bytes.Buffer
	var err error
	if indent == "" {
		err = json.Compact(&out, text)
	} else {
		err = json.Indent(&out, bytes.TrimSpace(text), "", indent)
	}
	if err != nil {
		return nil, invalidJSON(text, err)
	}
	return out.Bytes(), nil
}

// treeMode reads maps under keys of any type.
var treeMode = func() cbor.DecMode {
	options := decodeOptions()
	options.DefaultMapType = reflect.TypeFor[map[any]any]()
	return must(options.DecMode())
}()

func decodeTree(v mesh.Value, tree *any) error {
	if v.Format != mesh.CBOR {
		return Decode(v, tree)
	}
	if err := treeMode.Unmarshal(v.Data, tree); err != nil {
		return explain(v.Data, tree, err)
	}
	return nil
}

// asJSON replaces what encoding/json would refuse or write otherwise.
func asJSON(node any) (any, error) {
	switch node := node.(type) {
	case float64:
		return floatJSON(node), nil
	case big.Int:
		return json.RawMessage(node.String()), nil
	case cbor.Tag:
		return asJSON(node.Content)
	case cbor.SimpleValue:
		return nil, invalid("write JSON", "CBOR simple value %d has no JSON form", node)
	case []any:
		for i := range node {
			element, err := asJSON(node[i])
			if err != nil {
				return nil, err
			}
			node[i] = element
		}
	case map[any]any:
		return objectJSON(node)
	}
	return node, nil
}

// floatJSON keeps a whole float apart from an integer. Infinities and NaN are left for encoding/json to refuse.
func floatJSON(f float64) any {
	literal, err := json.Marshal(f)
	if err != nil {
		return f
	}
	if !bytes.ContainsAny(literal, ".e") {
		literal = append(literal, ".0"...)
	}
	return json.RawMessage(literal)
}

func objectJSON(node map[any]any) (any, error) {
	object := make(map[string]any, len(node))
	for key, member := range node {
		name, err := nameJSON(key)
		if err != nil {
			return nil, err
		}
		if _, twice := object[name]; twice {
			return nil, invalid("write JSON", "two keys of a map become %q", name)
		}
		if object[name], err = asJSON(member); err != nil {
			return nil, err
		}
	}
	return object, nil
}

func nameJSON(key any) (string, error) {
	switch key := key.(type) {
	case string:
		return key, nil
	case int64, uint64:
		return fmt.Sprint(key), nil
	case cbor.ByteString:
		return base64.StdEncoding.EncodeToString([]byte(key)), nil
	}
	return "", invalid("write JSON", "a map has a key of type %T: expected a string or an integer", key)
}
