// Package jsonl is the format of exported state: JSON lines (RFC 8259, one
// object a line), which people read and other tools write. A line is a key, or
// a part of a large set or map, whose lines follow one another:
//
//	{"namespace":"default","key":"greeting","kind":"lww","value":"hello"}
//	{"namespace":"default","key":"tags","kind":"or-set","expires":"2027-01-31T12:00:00Z","value":["a","b"]}
//
// "expires" and "part" may be left out. What "value" is depends on the kind:
//
//	lww                               a payload
//	mv-register, causal, multi-causal the concurrent payloads, in an array
//	set, ordered-set, or-set          the elements, each a payload, in an array
//	gcounter, pncounter               the sum
//	max, min                          a number, or a string
//	bool, flag                        true or false
//	priority                          {"priority": number, "value": payload}
//	clock                             [{"writer": string, "count": number}, ...]
//	map, or-map                       [{"field": string, "kind": kind, "value": as above}, ...]
//
// A payload is a string for text, and a number, true, false, null or an array
// for CBOR; all else is an object that names the format: {"text": ...},
// {"cbor": JSON}, {"json": JSON}, {"raw": base64}, {"protobuf": {"type": URL,
// "value": base64}}. CBOR that JSON does not give back to the byte, and the
// like, is {"format": name, "base64": data}; bytes that are no value of the
// mesh are {"bytes": base64}. Names that are not UTF-8 are in "field-base64"
// and "writer-base64", strings of a max or min in {"bytes": base64}, and
// numbers that JSON lacks in {"float": "Infinity"}. A register that was never
// written is {}.
//
// Read gives the operations that write a line's value anew. Contexts, dots,
// stamps and the marks of deletes are not in the text: package archive is for
// all that a mesh holds.
package jsonl
