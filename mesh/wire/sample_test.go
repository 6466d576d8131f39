package wire

import (
	"google.golang.org/protobuf/reflect/protoreflect"
)

// sample gives a message of the prototype's kind with every field set, three
// levels deep.
func sample(prototype Message) Message {
	m := prototype.ProtoReflect().New()
	fill(m, 3)
	return m.Interface()
}

func fill(m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		switch {
		case field.IsMap():
			values := m.Mutable(field).Map()
			value := values.NewValue()
			if field.MapValue().Kind() == protoreflect.MessageKind {
				fill(value.Message(), depth-1)
			} else {
				value = scalar(field.MapValue())
			}
			values.Set(scalar(field.MapKey()).MapKey(), value)
		case field.Kind() == protoreflect.MessageKind && depth == 0:
		case field.IsList():
			list := m.Mutable(field).List()
			for range 2 {
				if field.Kind() == protoreflect.MessageKind {
					fill(list.AppendMutable().Message(), depth-1)
				} else {
					list.Append(scalar(field))
				}
			}
		case field.Kind() == protoreflect.MessageKind:
			fill(m.Mutable(field).Message(), depth-1)
		default:
			m.Set(field, scalar(field))
		}
	}
}

// scalar gives a value that is not the default and differs by field.
func scalar(field protoreflect.FieldDescriptor) protoreflect.Value {
	n := 300 + int64(field.Number())
	switch field.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(n))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(uint64(n))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(-n)
	case protoreflect.StringKind:
		return protoreflect.ValueOfString("text of " + string(field.Name()))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte{0, 0xff, byte(n)})
	}
	panic("no sample of kind " + field.Kind().String() + ": add one")
}
