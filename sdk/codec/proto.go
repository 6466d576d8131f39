//go:build !wasip1

package codec

import (
	"encoding/json"
	"reflect"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/virga-mesh/virga/mesh"
)

// encodeProto encodes v if it is a protobuf message.
func encodeProto(v any) (value mesh.Value, ok bool, err error) {
	message, ok := v.(proto.Message)
	if !ok {
		return mesh.Value{}, false, nil
	}
	var packed anypb.Any
	deterministic := proto.MarshalOptions{Deterministic: true}
	if err := anypb.MarshalFrom(&packed, message, deterministic); err != nil {
		return mesh.Value{}, true, invalid("encode", "message %T: %w", v, err)
	}
	data, err := deterministic.Marshal(&packed)
	if err != nil {
		return mesh.Value{}, true, invalid("encode", "message %T: %w", v, err)
	}
	return mesh.Value{Format: mesh.Protobuf, Data: data}, true, nil
}

func decodeProto(data []byte, into any) error {
	packed, err := unpackAny(data)
	if err != nil {
		return err
	}
	switch into := into.(type) {
	case *any:
		message, err := packed.UnmarshalNew()
		if err != nil {
			return invalid("decode", "message %s: %w", packed.MessageName(), err)
		}
		*into = message
		return nil
	case proto.Message:
		return unmarshalTo(packed, into)
	}
	if message, ok := allocate(into); ok {
		return unmarshalTo(packed, message)
	}
	return mismatch(into, "protobuf message "+string(packed.MessageName()))
}

// allocate sets what into points to, if that is a pointer to a message type, to a new message.
func allocate(into any) (proto.Message, bool) {
	target := reflect.ValueOf(into)
	if !isSettable(target, reflect.Pointer) {
		return nil, false
	}
	message, ok := reflect.New(target.Type().Elem().Elem()).Interface().(proto.Message)
	if ok {
		target.Elem().Set(reflect.ValueOf(message))
	}
	return message, ok
}

func unmarshalTo(packed *anypb.Any, into proto.Message) error {
	if expected := into.ProtoReflect().Descriptor().FullName(); packed.MessageName() != expected {
		return invalid("decode", "expected protobuf message %s, got %s", expected, packed.MessageName())
	}
	if err := proto.Unmarshal(packed.GetValue(), into); err != nil {
		return invalid("decode", "message %s: %w", packed.MessageName(), err)
	}
	return nil
}

func unpackAny(data []byte) (*anypb.Any, error) {
	var packed anypb.Any
	if err := proto.Unmarshal(data, &packed); err != nil {
		return nil, invalid("decode", "expected a google.protobuf.Any, got malformed data: %w", err)
	}
	return &packed, nil
}

// protoToJSON writes a message whose type this program knows by protobuf's
// own mapping, any other as its type's name and its bytes.
func protoToJSON(data []byte) ([]byte, error) {
	packed, err := unpackAny(data)
	if err != nil {
		return nil, err
	}
	var text []byte
	if _, unknown := protoregistry.GlobalTypes.FindMessageByURL(packed.GetTypeUrl()); unknown != nil {
		text, err = json.Marshal(map[string]any{"@type": packed.GetTypeUrl(), "value": packed.GetValue()})
	} else {
		text, err = protojson.Marshal(packed)
	}
	if err != nil {
		return nil, invalid("write JSON", "message %s: %w", packed.MessageName(), err)
	}
	return text, nil
}
