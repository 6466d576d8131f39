package abi

import (
	"encoding/binary"

	"github.com/virga-mesh/virga/mesh"
)

// A list is its items one after the other, each after its length in four
// bytes, little-endian. A value in a list is its format byte and its data;
// no value has the length 0.

// AppendArgs appends values as a list.
func AppendArgs(dst []byte, args []mesh.Value) []byte {
	for _, v := range args {
		dst = appendItem(dst, v)
	}
	return dst
}

// ArgsSize is how many bytes AppendArgs appends.
func ArgsSize(args []mesh.Value) int {
	size := 0
	for _, v := range args {
		size += 4 + valueSize(v)
	}
	return size
}

// ReadArgs reads what AppendArgs writes. The values alias b.
func ReadArgs(b []byte) ([]mesh.Value, error) {
	var args []mesh.Value
	for len(b) > 0 {
		item, rest, err := readItem(b)
		if err != nil {
			return nil, err
		}
		v, err := ReadValue(item)
		if err != nil {
			return nil, err
		}
		args, b = append(args, v), rest
	}
	return args, nil
}

// Message is one message of the answer of Recv.
type Message struct {
	From string // mesh.InvocationID as text
	Body mesh.Value
}

// AppendMessages appends messages as a list in which each takes two items.
func AppendMessages(dst []byte, messages []Message) []byte {
	for _, m := range messages {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(m.From)))
		dst = appendItem(append(dst, m.From...), m.Body)
	}
	return dst
}

// ReadMessages reads what AppendMessages writes. The bodies alias b.
func ReadMessages(b []byte) ([]Message, error) {
	var messages []Message
	for len(b) > 0 {
		from, rest, err := readItem(b)
		if err != nil {
			return nil, err
		}
		body, rest, err := readItem(rest)
		if err != nil {
			return nil, err
		}
		v, err := ReadValue(body)
		if err != nil {
			return nil, err
		}
		messages, b = append(messages, Message{From: string(from), Body: v}), rest
	}
	return messages, nil
}

func appendItem(dst []byte, v mesh.Value) []byte {
	return AppendValue(binary.LittleEndian.AppendUint32(dst, uint32(valueSize(v))), v)
}

func valueSize(v mesh.Value) int {
	if v.IsZero() {
		return 0
	}
	return 1 + len(v.Data)
}

func readItem(b []byte) (item, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, mesh.Errorf(mesh.Invalid, "", "a list ends within a length of 4 bytes")
	}
	size := binary.LittleEndian.Uint32(b)
	if b = b[4:]; uint64(size) > uint64(len(b)) {
		return nil, nil, mesh.Errorf(mesh.Invalid, "", "an item of a list has %d bytes: expected at most the %d that follow", size, len(b))
	}
	return b[:size:size], b[size:], nil
}
