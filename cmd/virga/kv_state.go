package main

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// stateDescription is a key's value as commands print it.
type stateDescription struct {
	Key     string          `json:"key"`
	Kind    string          `json:"kind"`
	Value   json.RawMessage `json:"value"`
	Version sdk.Version     `json:"version,omitempty"` // when asked for

	lines []string // for people
	raw   []byte   // in place of lines, for a register of bytes
}

func (s stateDescription) text(w io.Writer) {
	if s.Version != "" {
		fmt.Fprintln(w, s.Version)
	}
	_, _ = w.Write(s.raw) // as with lines, there is no one left to tell
	for _, line := range s.lines {
		fmt.Fprintln(w, line)
	}
}

// describeState reads a value of any kind: as JSON a register is its value,
// a set or several concurrent values an array, a map an object.
func describeState(v lattice.Value) (s stateDescription, err error) {
	s.Kind = v.Kind().String()
	switch v.Kind() {
	case lattice.LWWKind, lattice.PriorityKind:
		err = s.describeRegister(v)
	case lattice.SetKind, lattice.OrderedSetKind, lattice.ORSetKind:
		err = s.describeAll(func(yield func([]byte) bool) {
			for element := range v.Elements() {
				if !yield([]byte(element)) {
					return
				}
			}
		})
	case lattice.CausalKind, lattice.MultiCausalKind, lattice.MVRegisterKind:
		err = s.describeAll(v.Siblings())
	case lattice.MapKind, lattice.ORMapKind:
		err = s.describeFields(v)
	default:
		err = s.describeScalar(v)
	}
	return s, err
}

func (s *stateDescription) describeRegister(v lattice.Value) error {
	payload, written := v.Payload()
	if !written {
		s.Value = json.RawMessage("null")
		return nil
	}
	asJSON, line, err := describePayload(payload)
	s.Value, s.lines = asJSON, []string{line}
	if v, invalid := mesh.DecodeValue(payload); invalid == nil && v.Format == mesh.Raw {
		s.raw, s.lines = v.Data, nil
	}
	return err
}

func (s *stateDescription) describeAll(payloads iter.Seq[[]byte]) error {
	all := []json.RawMessage{}
	for payload := range payloads {
		asJSON, line, err := describePayload(payload)
		if err != nil {
			return err
		}
		all = append(all, asJSON)
		s.lines = append(s.lines, line)
	}
	var err error
	s.Value, err = json.Marshal(all)
	return err
}

func (s *stateDescription) describeFields(v lattice.Value) error {
	fields := map[string]json.RawMessage{}
	for name, field := range v.Fields() {
		described, err := describeState(field)
		if err != nil {
			return err
		}
		fields[name] = described.Value
		s.lines = append(s.lines, name+"="+string(described.Value))
	}
	var err error
	s.Value, err = json.Marshal(fields)
	return err
}

// describeScalar is for what prints alike as JSON and for people.
func (s *stateDescription) describeScalar(v lattice.Value) error {
	var plain any
	if n, ok := v.Count(); ok {
		plain = n
	} else if on, ok := v.Enabled(); ok {
		plain = on
	} else if scalar := v.Scalar(); !scalar.IsZero() {
		plain = scalarOf(scalar)
	} else if v.Kind() != lattice.MaxKind && v.Kind() != lattice.MinKind {
		return mesh.Errorf(mesh.Invalid, "kv get", "a %s has no form to print", v.Kind())
	}
	text, err := json.Marshal(plain)
	s.Value, s.lines = text, []string{string(text)}
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

// describePayload reads what a lattice holds: a mesh value.
func describePayload(payload []byte) (asJSON json.RawMessage, line string, err error) {
	v, err := mesh.DecodeValue(payload)
	if err != nil {
		return nil, "", err
	}
	if asJSON, err = valueJSON(v); err != nil {
		return nil, "", err
	}
	line, err = valueText(v)
	return asJSON, line, err
}
