package main

import (
	"io"
	"strings"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/jsonform"
)

// argHelp tells how arguments are written; see argReader.
const argHelp = `An argument is JSON. It may refer to what the mesh holds, which is read where the
function runs:
  @KEY                     the value of a key
  {"$ref": "KEY"}          the same, at any depth of a JSON argument; further members:
                           "$namespace": "NS" for a key of another namespace, and
                           "$raw": true for the bytes as they are
  {"$future": "RUN"}       the result of a run, which is waited for; also with "$raw"
  {"$literal": JSON}       JSON as it is, in which $ref and the like mean nothing
With --literal all arguments are JSON as it stands: use it for JSON from elsewhere.
An argument that is - is read from stdin, for values too large for a command line.`

// argReader reads the arguments of calls.
type argReader struct {
	stdin     io.Reader
	namespace string // of keys
	literal   bool   // nothing refers to anything
}

func (r argReader) read(text string) (any, error) {
	if text == "-" {
		all, err := io.ReadAll(r.stdin)
		if err != nil {
			return nil, mesh.Errorf(mesh.Invalid, "read stdin", "%w", err)
		}
		text = string(all)
	}
	arguments := jsonform.Arguments{Namespace: r.namespace, Literal: r.literal}
	if name, refers := strings.CutPrefix(text, "@"); refers && !r.literal {
		return arguments.Ref(name)
	}
	v, err := parseArg(text)
	if err != nil {
		return nil, err
	}
	return arguments.Resolve(v)
}

func (r argReader) readAll(texts []string) ([]any, error) {
	args := make([]any, 0, len(texts))
	for _, text := range texts {
		v, err := r.read(text)
		if err != nil {
			return nil, err
		}
		args = append(args, v)
	}
	return args, nil
}
