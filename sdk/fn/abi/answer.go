package abi

import "github.com/virga-mesh/virga/mesh"

// An answer is a status byte and what belongs to it: 0 and the payload, or
// the kind of an error plus 1 and its message in UTF-8.
const statusOK = 0

// AppendPayload appends the answer of a success.
func AppendPayload(dst, payload []byte) []byte {
	return append(append(dst, statusOK), payload...)
}

// AppendResult appends the answer that carries a value.
func AppendResult(dst []byte, v mesh.Value) []byte {
	return AppendValue(append(dst, statusOK), v)
}

// AppendError appends the answer of a failure. It keeps the kind of err, and
// as its text what was attempted, if err says so, and what was wrong.
func AppendError(dst []byte, err error) []byte {
	e := mesh.AsError("", err)
	dst = append(dst, byte(e.Kind)+1)
	if e.Op != "" {
		dst = append(dst, e.Op+": "...)
	}
	return append(dst, e.Text()...)
}

// ReadAnswer gives the payload of an answer, which aliases b, or its error.
// Bytes that are no answer are an Invalid error; broken tells the two apart.
func ReadAnswer(b []byte) (payload []byte, broken bool, err error) {
	switch {
	case len(b) == 0:
		return nil, true, mesh.Errorf(mesh.Invalid, "", "an empty answer: expected a status byte")
	case b[0] == statusOK:
		return b[1:], false, nil
	case mesh.ErrorKind(b[0]-1) > mesh.Conflict:
		return nil, true, mesh.Errorf(mesh.Invalid, "", "an answer with status %d: expected 0 to %d", b[0], mesh.Conflict+1)
	}
	return nil, false, &mesh.Error{Kind: mesh.ErrorKind(b[0] - 1), Msg: string(b[1:])}
}

// AppendValue appends the format byte and the data of v; nothing for no value.
func AppendValue(dst []byte, v mesh.Value) []byte {
	if v.IsZero() {
		return dst
	}
	return v.AppendBinary(dst)
}

// ReadValue reads a value that fills b, which it aliases. Nothing is no value.
func ReadValue(b []byte) (mesh.Value, error) {
	if len(b) == 0 {
		return mesh.Value{}, nil
	}
	return mesh.DecodeValue(b)
}
