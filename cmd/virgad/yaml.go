package main

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/virga-mesh/virga/mesh"
)

// parseYAML reads settings strictly: what is not a setting, is set twice or
// has another shape is an error that names its line.
func (s *settings) parseYAML(path string, text []byte, all []setting) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return mesh.Errorf(mesh.Invalid, "configuration", "%s: %w", path, err)
	}
	if len(doc.Content) == 0 {
		return nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return badLine(path, root, "expected lines of the form name: value")
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if line, twice := seen[key.Value]; twice {
			return badLine(path, key, fmt.Sprintf("%q is set a second time, first in line %d", key.Value, line))
		}
		seen[key.Value] = key.Line
		if err := s.applyYAML(path, key, value, all); err != nil {
			return err
		}
	}
	return nil
}

func (s *settings) applyYAML(path string, key, value *yaml.Node, all []setting) error {
	setting, ok := find(all, key.Value)
	if !ok {
		return badLine(path, key, fmt.Sprintf("unknown key %q: expected one of %s", key.Value, names(all)))
	}
	values, ok := scalars(value, setting.list)
	if !ok && setting.list {
		return badLine(path, value, key.Value+": expected a text or a list of texts")
	}
	if !ok {
		return badLine(path, value, key.Value+": expected one value")
	}
	return s.apply(setting, values, fmt.Sprintf("%s: line %d: %s", path, value.Line, key.Value))
}

// scalars gives the texts of a scalar or, where a list is allowed, of a list of scalars.
func scalars(value *yaml.Node, list bool) ([]string, bool) {
	if value.Kind == yaml.ScalarNode && value.Tag != "!!null" {
		return []string{value.Value}, true
	}
	if value.Kind != yaml.SequenceNode || !list {
		return nil, false
	}
	var values []string
	for _, item := range value.Content {
		if item.Kind != yaml.ScalarNode || item.Tag == "!!null" {
			return nil, false
		}
		values = append(values, item.Value)
	}
	return values, true
}

func badLine(path string, at *yaml.Node, problem string) error {
	return mesh.Errorf(mesh.Invalid, "configuration", "%s: line %d: %s", path, at.Line, problem)
}

func find(all []setting, name string) (setting, bool) {
	for _, s := range all {
		if s.name == name {
			return s, true
		}
	}
	return setting{}, false
}
