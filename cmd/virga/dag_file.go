package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/virga-mesh/virga/mesh"
)

// dagDocument is a DAG with the lines of the file that it comes from.
type dagDocument struct {
	dagFile
	dag    *mesh.DAG
	line   int
	stages []int // lines, by stage
	edges  []int // lines, by edge
}

// dagFile is where documents come from, for errors.
type dagFile struct{ source string }

// readDAGs reads the DAGs of a file, whose form docs/dag.md tells. One that
// names no namespace gets the one given. Errors name the line.
func readDAGs(source, namespace string, text []byte) ([]*dagDocument, error) {
	file := dagFile{source}
	var documents []*dagDocument
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var node yaml.Node
		err := decoder.Decode(&node)
		switch {
		case errors.Is(err, io.EOF) && len(documents) == 0:
			return nil, mesh.Errorf(mesh.Invalid, source, "it holds no DAG: expected YAML with name, stages and edges")
		case errors.Is(err, io.EOF):
			return documents, nil
		case err != nil:
			return nil, mesh.Errorf(mesh.Invalid, source, "not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
		}
		d := &dagDocument{dagFile: file, dag: &mesh.DAG{Namespace: namespace}, line: node.Line}
		if isEmpty(&node) {
			continue // as between two lines of dashes
		}
		if err := d.read(node.Content[0]); err != nil {
			return nil, err
		}
		documents = append(documents, d)
	}
}

func isEmpty(document *yaml.Node) bool {
	return len(document.Content) == 0 || document.Content[0].Kind == yaml.ScalarNode && document.Content[0].ShortTag() == "!!null"
}

// errorf makes an error about a node.
func (f dagFile) errorf(line int, format string, args ...any) error {
	return mesh.Errorf(mesh.Invalid, fmt.Sprintf("%s:%d", f.source, line), format, args...)
}

// at adds the line to what is wrong.
func (f dagFile) at(line int, err error) error {
	e := *mesh.AsError("", err)
	e.Op, e.Msg, e.Err = fmt.Sprintf("%s:%d", f.source, line), e.Text(), nil
	return &e
}

// field reads the value of one field.
type field func(value *yaml.Node) error

// fields reads a mapping whose fields are known. One that is not, or that is
// there twice, is an error.
func (f dagFile) fields(node *yaml.Node, what string, known map[string]field) error {
	if node.Kind != yaml.MappingNode {
		return f.errorf(node.Line, "%s is %s: expected fields, of %s", what, kindOf(node), names(known))
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		read := known[key.Value]
		switch {
		case read == nil:
			return f.errorf(key.Line, "unknown field %q of %s: expected one of %s", key.Value, what, names(known))
		case seen[key.Value] > 0:
			return f.errorf(key.Line, "field %q of %s is there twice, first in line %d", key.Value, what, seen[key.Value])
		}
		seen[key.Value] = key.Line
		if err := read(value); err != nil {
			return err
		}
	}
	return nil
}

func names(known map[string]field) string {
	var list []string
	for name := range known {
		list = append(list, name)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// kindOf names what a node is, for people.
func kindOf(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias, which is not taken here"
	}
	return fmt.Sprintf("%.64q", node.Value)
}

// list reads a list, item by item.
func (f dagFile) list(what string, read field) field {
	return func(node *yaml.Node) error {
		if node.Kind != yaml.SequenceNode {
			return f.errorf(node.Line, "%s is %s: expected a list", what, kindOf(node))
		}
		for _, item := range node.Content {
			if err := read(item); err != nil {
				return err
			}
		}
		return nil
	}
}

func (d *dagDocument) read(node *yaml.Node) error {
	d.line = node.Line
	err := d.fields(node, "the DAG", map[string]field{
		"name":      d.text("name", &d.dag.Name),
		"namespace": d.text("namespace", &d.dag.Namespace),
		"stages":    d.list("stages", func(*yaml.Node) error { return nil }),
		"edges":     d.list("edges", d.readEdge),
		"consistency": func(value *yaml.Node) (err error) {
			if d.dag.Consistency, err = mesh.ParseConsistency(value.Value); err != nil {
				return d.at(value.Line, err)
			}
			return nil
		},
	})
	if err != nil {
		return err
	}
	for i := 0; i+1 < len(node.Content); i += 2 { // the stages need the namespace
		if node.Content[i].Value != "stages" {
			continue
		}
		if err := d.list("stages", d.readStage)(node.Content[i+1]); err != nil {
			return err
		}
	}
	return d.validate()
}

// validate is DAG.Validate, with the line of what is wrong: the first edge
// with which the DAG is not valid, or the stage that is not even alone.
func (d *dagDocument) validate() error {
	err := d.dag.Validate()
	if err == nil {
		return nil
	}
	part := mesh.DAG{Namespace: d.dag.Namespace, Name: d.dag.Name, Stages: []mesh.Stage{aStage}}
	if part.Validate() != nil { // it is the name
		return d.at(d.line, err)
	}
	part.Stages = nil
	for i, stage := range d.dag.Stages {
		if any := stage.Any; any != nil && len(any.Invalid) <= mesh.MaxInvalid {
			stage.Any = nil // which needs parents
		}
		part.Stages = append(part.Stages, stage)
		alone := mesh.DAG{Namespace: d.dag.Namespace, Name: d.dag.Name, Stages: []mesh.Stage{stage}}
		if alone.Validate() != nil || duplicate(d.dag.Stages[:i], stage.Name) {
			return d.at(d.stages[i], err)
		}
	}
	edges := sort.Search(len(d.dag.Edges), func(n int) bool {
		part.Edges = d.dag.Edges[:n+1]
		return part.Validate() != nil
	})
	if len(d.dag.Stages) > 0 && edges < len(d.dag.Edges) {
		return d.at(d.edges[edges], err)
	}
	for i, stage := range d.dag.Stages {
		if stage.Any != nil && len(d.dag.Parents(stage.Name)) == 0 {
			return d.at(d.stages[i], err)
		}
	}
	return d.at(d.line, err)
}

// aStage is one that is valid.
var aStage = mesh.Stage{Name: "a", Func: mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: "a"}}

func duplicate(stages []mesh.Stage, name string) bool {
	return slices.ContainsFunc(stages, func(s mesh.Stage) bool { return s.Name == name })
}
