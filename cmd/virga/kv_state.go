package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/jsonform"
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

// describeState reads a value of any kind.
func describeState(v lattice.Value) (stateDescription, error) {
	s, err := jsonform.StateOf(v)
	return stateDescription{Kind: s.Kind, Value: s.Value, lines: s.Lines, raw: s.Raw}, err
}
