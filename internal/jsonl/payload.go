package jsonl

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

// appendPayload appends the shortest form of which parsePayload makes the same bytes.
func appendPayload(dst, payload []byte) []byte {
	v, err := mesh.DecodeValue(payload)
	if err != nil {
		return appendTagged(dst, "bytes", payload)
	}
	switch v.Format {
	case mesh.Text:
		if utf8.Valid(v.Data) {
			return appendString(dst, string(v.Data))
		}
	case mesh.Raw:
		return appendTagged(dst, "raw", v.Data)
	case mesh.CBOR:
		if text, ok := exactJSON(v); ok {
			return appendCBOR(dst, text)
		}
	case mesh.JSON:
		if isOneLine(v.Data) {
			return append(append(append(dst, `{"json":`...), v.Data...), '}')
		}
	case mesh.Protobuf:
		if packed, ok := exactAny(v.Data); ok {
			dst = appendString(append(dst, `{"protobuf":{"type":`...), packed.TypeUrl)
			return append(appendBase64(append(dst, `,"value":`...), packed.Value), "}}"...)
		}
	}
	dst = appendString(append(dst, `{"format":`...), v.Format.String())
	return append(appendBase64(append(dst, `,"base64":`...), v.Data), '}')
}

// appendCBOR appends what needs no tag as it is.
func appendCBOR(dst, text []byte) []byte {
	if text[0] != '"' && text[0] != '{' {
		return append(dst, text...)
	}
	return append(append(append(dst, `{"cbor":`...), text...), '}')
}

func appendTagged(dst []byte, tag string, data []byte) []byte {
	return append(appendBase64(append(appendString(append(dst, '{'), tag), ':'), data), '}')
}

func appendBase64(dst, data []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(dst, '"'), data), '"')
}

// exactJSON gives the JSON of a CBOR value if that gives back the value.
func exactJSON(v mesh.Value) ([]byte, bool) {
	text, err := codec.ToJSON(v, "")
	if err != nil {
		return nil, false
	}
	back, err := codec.FromJSON(text)
	return text, err == nil && bytes.Equal(back.Data, v.Data)
}

// isOneLine reports whether a text is JSON that a line holds to the byte.
func isOneLine(text []byte) bool {
	return utf8.Valid(text) && json.Valid(text) && !bytes.ContainsAny(text, "\r\n") && len(bytes.TrimSpace(text)) == len(text)
}

// exactAny reads a google.protobuf.Any that its two fields give back.
func exactAny(data []byte) (*anypb.Any, bool) {
	packed := &anypb.Any{}
	if proto.Unmarshal(data, packed) != nil {
		return nil, false
	}
	back, err := packAny(packed.TypeUrl, packed.Value)
	return packed, err == nil && bytes.Equal(back, data)
}

func packAny(url string, value []byte) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(&anypb.Any{TypeUrl: url, Value: value})
}

// payloadTags are the names of an object that is a payload.
var payloadTags = []string{"text", "cbor", "json", "raw", "protobuf", "format", "base64", "bytes"}

// parsePayload reads what a register or an element of a set holds.
func parsePayload(text []byte) ([]byte, error) {
	v, bare, err := parseUntagged(text)
	if err != nil {
		return nil, err
	}
	if !bare {
		o, err := parseObject(text, payloadTags...)
		if err != nil {
			return nil, err
		}
		if data, is := o["bytes"]; is && len(o) == 1 {
			return parseBase64(data)
		}
		if v, err = o.payload(); err != nil {
			return nil, err
		}
	}
	return v.AppendBinary(nil), nil
}

// parseUntagged reads what names no format; bare is false for an object.
func parseUntagged(text []byte) (v mesh.Value, bare bool, err error) {
	switch {
	case len(text) == 0:
		return v, false, fmt.Errorf("nothing: expected a value")
	case text[0] == '{':
		return v, false, nil
	case text[0] == '"':
		s, err := parseString(text)
		return mesh.Value{Format: mesh.Text, Data: []byte(s)}, true, err
	}
	v, err = codec.FromJSON(text)
	return v, true, err
}

// payload is what an object with a tag stands for.
func (o object) payload() (v mesh.Value, err error) {
	if _, named := o["format"]; named && len(o) == 2 && o["base64"] != nil {
		return o.named()
	}
	if len(o) != 1 {
		return v, fmt.Errorf("a value with %d fields: expected one of text, cbor, json, raw, protobuf and bytes, or format and base64", len(o))
	}
	for tag, member := range o {
		switch tag {
		case "text":
			s, err := parseString(member)
			return mesh.Value{Format: mesh.Text, Data: []byte(s)}, err
		case "cbor":
			return codec.FromJSON(member)
		case "json":
			return mesh.Value{Format: mesh.JSON, Data: bytes.Clone(member)}, nil
		case "raw":
			data, err := parseBase64(member)
			return mesh.Value{Format: mesh.Raw, Data: data}, err
		case "protobuf":
			return parseProtobuf(member)
		}
	}
	return v, fmt.Errorf("a value with format or base64 alone: expected both")
}

// named reads data whose format is named.
func (o object) named() (v mesh.Value, err error) {
	name, err := o.text("format")
	if err != nil {
		return v, err
	}
	at := slices.IndexFunc(formats, func(f mesh.Format) bool { return f.String() == name })
	if at < 0 {
		return v, fmt.Errorf("format %q: expected one of %v", name, formats)
	}
	data, err := parseBase64(o["base64"])
	return mesh.Value{Format: formats[at], Data: data}, err
}

var formats = []mesh.Format{mesh.Raw, mesh.Text, mesh.JSON, mesh.CBOR, mesh.Protobuf}

func parseProtobuf(text []byte) (v mesh.Value, err error) {
	o, err := parseObject(text, "type", "value")
	if err == nil {
		err = o.must("type", "value")
	}
	if err != nil {
		return v, fmt.Errorf("protobuf: %w", err)
	}
	url, err := o.text("type")
	if err != nil {
		return v, err
	}
	data, err := parseBase64(o["value"])
	if err != nil {
		return v, err
	}
	packed, err := packAny(url, data)
	return mesh.Value{Format: mesh.Protobuf, Data: packed}, err
}

func parseBase64(text []byte) ([]byte, error) {
	s, err := parseString(text)
	if err != nil {
		return nil, err
	}
	data, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("%s: expected base64 (RFC 4648, padded)", shown(text))
	}
	return data, nil
}
