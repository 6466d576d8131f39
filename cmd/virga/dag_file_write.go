package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/jsonform"
)

// writeDAGs writes DAGs as readDAGs reads them.
func writeDAGs(dags []*mesh.DAG) ([]byte, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	for _, dag := range dags {
		if err := encoder.Encode(dagNode(dag)); err != nil {
			return nil, mesh.Errorf(mesh.Internal, "write dag "+dag.Name, "%w", err)
		}
	}
	if err := encoder.Close(); err != nil {
		return nil, mesh.Errorf(mesh.Internal, "write dags", "%w", err)
	}
	return out.Bytes(), nil
}

// mapping is a YAML mapping in the making.
type mapping struct{ yaml.Node }

func newMapping() *mapping { return &mapping{yaml.Node{Kind: yaml.MappingNode}} }

func (m *mapping) add(key string, value *yaml.Node) {
	m.Content = append(m.Content, textNode(key), value)
}

// text adds a text that is not empty.
func (m *mapping) text(key, value string) {
	if value != "" {
		m.add(key, textNode(value))
	}
}

func (m *mapping) count(key string, n int) {
	if n != 0 {
		m.add(key, &yaml.Node{Kind: yaml.ScalarNode, Value: strconv.Itoa(n)})
	}
}

func (m *mapping) duration(key string, d time.Duration) {
	if d != 0 {
		m.text(key, d.String())
	}
}

func textNode(text string) *yaml.Node {
	node := &yaml.Node{}
	node.SetString(text)
	return node
}

func trueNode() *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: "true"} }

func dagNode(dag *mesh.DAG) *yaml.Node {
	m := newMapping()
	m.text("name", dag.Name)
	if dag.Namespace != mesh.DefaultNamespace {
		m.text("namespace", dag.Namespace)
	}
	if dag.Consistency != mesh.Eventual {
		m.text("consistency", dag.Consistency.String())
	}
	stages := &yaml.Node{Kind: yaml.SequenceNode}
	for i := range dag.Stages {
		stages.Content = append(stages.Content, stageNode(dag.Namespace, &dag.Stages[i]))
	}
	m.add("stages", stages)
	edges := &yaml.Node{Kind: yaml.SequenceNode}
	for _, e := range dag.Edges {
		edges.Content = append(edges.Content, edgeNode(e))
	}
	if len(dag.Edges) > 0 {
		m.add("edges", edges)
	}
	return &m.Node
}

func edgeNode(e mesh.Edge) *yaml.Node {
	m := newMapping()
	m.Style = yaml.FlowStyle
	m.text("from", e.From)
	m.text("to", e.To)
	m.text("when", e.When.String())
	return &m.Node
}

func stageNode(namespace string, s *mesh.Stage) *yaml.Node {
	m := newMapping()
	m.text("name", s.Name)
	m.text("function", funcIn(namespace, s.Func))
	if s.Any != nil {
		m.add("any", anyNode(s.Any))
	}
	if s.Batch != (mesh.Batch{}) {
		batch := newMapping()
		batch.count("size", s.Batch.Size)
		batch.duration("within", s.Batch.Within)
		m.add("batch", &batch.Node)
	}
	m.count("map", s.Map.Parallel)
	if s.Retry != (mesh.Retry{}) {
		retry := newMapping()
		retry.count("attempts", s.Retry.Attempts)
		retry.duration("backoff", s.Retry.Backoff)
		retry.duration("longest", s.Retry.Longest)
		m.add("retry", &retry.Node)
	}
	switch {
	case s.Hedge.After > 0:
		m.duration("hedge", s.Hedge.After)
	case s.Hedge.On:
		m.add("hedge", trueNode())
	}
	m.duration("timeout", s.Timeout)
	m.text("colocate", s.Colocate)
	if len(s.Labels) > 0 {
		labels := newMapping()
		for _, key := range slices.Sorted(maps.Keys(s.Labels)) {
			labels.add(key, textNode(s.Labels[key]))
		}
		m.add("labels", &labels.Node)
	}
	return &m.Node
}

func anyNode(any *mesh.AnyOf) *yaml.Node {
	if len(any.Invalid) == 0 {
		return trueNode()
	}
	m, list := newMapping(), &yaml.Node{Kind: yaml.SequenceNode}
	for _, v := range any.Invalid {
		list.Content = append(list.Content, valueNode(v))
	}
	m.add("invalid", list)
	return &m.Node
}

// optionWords gives the options of a stage as --stage takes them.
func optionWords(o *mesh.StageOptions) (words []string) {
	word := func(on bool, format string, args ...any) {
		if on {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	word(o.Any != nil, "any")
	if o.Any != nil {
		for _, v := range o.Any.Invalid {
			text, err := jsonform.Value(v)
			word(err == nil, "invalid=%s", text)
		}
	}
	word(o.Batch.Size > 0, "batch=%d", o.Batch.Size)
	word(o.Batch.Within > 0, "within=%v", o.Batch.Within)
	word(o.Map.Parallel > 0, "map=%d", o.Map.Parallel)
	word(o.Retry.Attempts > 0, "retry=%d", o.Retry.Attempts)
	word(o.Retry.Backoff > 0, "backoff=%v", o.Retry.Backoff)
	word(o.Retry.Longest > 0, "longest=%v", o.Retry.Longest)
	word(o.Hedge.On && o.Hedge.After == 0, "hedge")
	word(o.Hedge.After > 0, "hedge=%v", o.Hedge.After)
	word(o.Timeout > 0, "timeout=%v", o.Timeout)
	word(o.Colocate != "", "colocate=%s", o.Colocate)
	for _, key := range slices.Sorted(maps.Keys(o.Labels)) {
		word(true, "label=%s=%s", key, o.Labels[key])
	}
	return words
}
