package fn

import (
	"encoding/base64"
	"iter"
	"unicode/utf8"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

// Plain gives what a lattice holds as one value, for callers that do not
// care how it merges:
//
//	lww, priority                      the payload
//	causal, multi-causal, mv-register  the payload; of several the first of Siblings, the same one for all
//	set, ordered-set, or-set           an array of the elements, ascending by their bytes
//	gcounter, pncounter                an integer
//	bool, flag                         a bool
//	max, min                           an integer, a float or text
//	map, or-map                        a map of the plain fields
//	clock                              a map of the counts, by writer; by its bytes in base64 where these are no text
//
// What was never written is no value.
func Plain(state lattice.Value) (mesh.Value, error) {
	switch state.Kind() {
	case lattice.LWWKind, lattice.PriorityKind:
		if payload, ok := state.Payload(); ok {
			return mesh.DecodeValue(payload)
		}
		return mesh.Value{}, nil
	case lattice.CausalKind, lattice.MultiCausalKind, lattice.MVRegisterKind:
		return plainSibling(state)
	case lattice.SetKind, lattice.OrderedSetKind, lattice.ORSetKind:
		return plainElements(state.Elements())
	case lattice.GCounterKind, lattice.PNCounterKind:
		n, _ := state.Count()
		return codec.Encode(n)
	case lattice.BoolKind, lattice.FlagKind:
		on, _ := state.Enabled()
		return codec.Encode(on)
	case lattice.MaxKind, lattice.MinKind:
		return plainScalar(state.Scalar())
	case lattice.MapKind, lattice.ORMapKind:
		return plainFields(state)
	case lattice.ClockKind:
		return plainClock(state.Clock())
	}
	return mesh.Value{}, mesh.Errorf(mesh.Invalid, "", "a %v has no plain value", state.Kind())
}

// plainSibling gives the first of several concurrent values, which is the same
// one wherever the same are held.
func plainSibling(state lattice.Value) (v mesh.Value, err error) {
	for payload := range state.Siblings() {
		return mesh.DecodeValue(payload)
	}
	return mesh.Value{}, nil
}

func plainElements(elements iter.Seq[string]) (mesh.Value, error) {
	var values []mesh.Value
	for element := range elements {
		v, err := mesh.DecodeValue([]byte(element))
		if err != nil {
			return mesh.Value{}, err
		}
		values = append(values, v)
	}
	return codec.Array(values)
}

func plainScalar(s lattice.Scalar) (mesh.Value, error) {
	if n, ok := s.Int(); ok {
		return codec.Encode(n)
	}
	if f, ok := s.Float(); ok {
		return codec.Encode(f)
	}
	text, ok := s.Text()
	switch {
	case !ok:
		return mesh.Value{}, nil
	case utf8.ValidString(text):
		return codec.Encode(text)
	}
	return codec.Encode([]byte(text))
}

func plainFields(state lattice.Value) (mesh.Value, error) {
	var members []codec.Member
	for name, field := range state.Fields() {
		v, err := Plain(field)
		if err != nil {
			return mesh.Value{}, err
		}
		members = append(members, codec.Member{Name: name, Value: v})
	}
	return codec.Map(members)
}

func plainClock(clock *lattice.VectorClock) (mesh.Value, error) {
	counts := map[string]uint64{}
	for writer, count := range clock.All() {
		if !utf8.ValidString(writer) { // as those that nodes draw
			writer = base64.StdEncoding.EncodeToString([]byte(writer))
		}
		counts[writer] = count
	}
	return codec.Encode(counts)
}
