package fn

import (
	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

// Plain gives what a lattice holds as one value, for callers that do not
// care how it merges: a register's payload, a counter's number, a set's
// elements as an array in ascending order of their bytes. A register that
// was never written is no value. A kind without such a form is an Invalid
// error that says to read it whole.
func Plain(state lattice.Value) (mesh.Value, error) {
	if payload, _, ok := state.Payload(); ok {
		return mesh.DecodeValue(payload)
	}
	if n, ok := state.Count(); ok {
		return codec.Encode(n)
	}
	switch state.Kind() {
	case lattice.LWWKind, lattice.PriorityKind:
		return mesh.Value{}, nil
	case lattice.SetKind, lattice.OrderedSetKind, lattice.ORSetKind:
		return plainElements(state)
	}
	return mesh.Value{}, mesh.Errorf(mesh.Invalid, "", "a %v has no plain value: read it whole", state.Kind())
}

func plainElements(state lattice.Value) (mesh.Value, error) {
	elements := make([]mesh.Value, 0, state.Len())
	for element := range state.Elements() {
		v, err := mesh.DecodeValue([]byte(element))
		if err != nil {
			return mesh.Value{}, err
		}
		elements = append(elements, v)
	}
	return codec.Array(elements)
}
