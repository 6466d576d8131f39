package jsonform

import (
	"encoding/json"
	"iter"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// State is the value of a key of any kind.
type State struct {
	Kind  string
	Value json.RawMessage
	Lines []string // for people
	Raw   []byte   // in place of lines, for a register of bytes: not nil
}

// StateOf reads a value of any kind: as JSON a register is its value, a set
// or several concurrent values an array, a map an object.
func StateOf(v lattice.Value) (s State, err error) {
	s.Kind = v.Kind().String()
	switch v.Kind() {
	case lattice.LWWKind, lattice.PriorityKind:
		err = s.register(v)
	case lattice.SetKind, lattice.OrderedSetKind, lattice.ORSetKind:
		err = s.all(func(yield func([]byte) bool) {
			for element := range v.Elements() {
				if !yield([]byte(element)) {
					return
				}
			}
		})
	case lattice.CausalKind, lattice.MultiCausalKind, lattice.MVRegisterKind:
		err = s.all(v.Siblings())
	case lattice.MapKind, lattice.ORMapKind:
		err = s.fields(v)
	default:
		err = s.scalar(v)
	}
	return s, err
}

func (s *State) register(v lattice.Value) error {
	payload, written := v.Payload()
	if !written {
		s.Value = json.RawMessage("null")
		return nil
	}
	asJSON, line, err := readPayload(payload)
	s.Value, s.Lines = asJSON, []string{line}
	if v, invalid := mesh.DecodeValue(payload); invalid == nil && v.Format == mesh.Raw {
		s.Raw, s.Lines = append([]byte{}, v.Data...), nil
	}
	return err
}

func (s *State) all(payloads iter.Seq[[]byte]) error {
	all := []json.RawMessage{}
	for payload := range payloads {
		asJSON, line, err := readPayload(payload)
		if err != nil {
			return err
		}
		all = append(all, asJSON)
		s.Lines = append(s.Lines, line)
	}
	var err error
	s.Value, err = json.Marshal(all)
	return err
}

func (s *State) fields(v lattice.Value) error {
	fields := map[string]json.RawMessage{}
	for name, field := range v.Fields() {
		described, err := StateOf(field)
		if err != nil {
			return err
		}
		fields[name] = described.Value
		s.Lines = append(s.Lines, name+"="+string(described.Value))
	}
	var err error
	s.Value, err = json.Marshal(fields)
	return err
}

// scalar is for what is alike as JSON and for people.
func (s *State) scalar(v lattice.Value) error {
	var plain any
	if n, ok := v.Count(); ok {
		plain = n
	} else if on, ok := v.Enabled(); ok {
		plain = on
	} else if scalar := v.Scalar(); !scalar.IsZero() {
		plain = scalarOf(scalar)
	} else if v.Kind() != lattice.MaxKind && v.Kind() != lattice.MinKind {
		return mesh.Errorf(mesh.Invalid, "read state", "a %s has no form to print", v.Kind())
	}
	text, err := json.Marshal(plain)
	s.Value, s.Lines = text, []string{string(text)}
	return err
}

func scalarOf(s lattice.Scalar) any {
	if n, ok := s.Int(); ok {
		return n
	}
	if f, ok := s.Float(); ok {
		return f
	}
	text, _ := s.Text()
	return text
}

// readPayload reads what a lattice holds: a mesh value.
func readPayload(payload []byte) (asJSON json.RawMessage, line string, err error) {
	v, err := mesh.DecodeValue(payload)
	if err != nil {
		return nil, "", err
	}
	if asJSON, err = Value(v); err != nil {
		return nil, "", err
	}
	line, err = Text(v)
	return asJSON, line, err
}
