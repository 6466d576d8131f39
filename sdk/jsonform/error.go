package jsonform

import "github.com/virga-mesh/virga/mesh"

// Error is the form of errors.
type Error struct {
	Kind    string `json:"kind"`
	Op      string `json:"op,omitempty"`
	Stage   string `json:"stage,omitempty"`
	Node    string `json:"node,omitempty"`
	Message string `json:"message"`
}

// ErrorOf gives err in that form; nil for none.
func ErrorOf(err error) *Error {
	if err == nil {
		return nil
	}
	e := mesh.AsError("", err)
	form := &Error{Kind: e.Kind.String(), Op: e.Op, Stage: e.Stage, Message: e.Text()}
	if e.Node != "" {
		form.Node = e.Node.String()
	}
	return form
}
