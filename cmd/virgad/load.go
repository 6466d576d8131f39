package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/virga-mesh/virga/mesh"
)

// load gathers the settings: flags over the environment over the file over
// the defaults. An empty path means no file.
func load(path string, env func(string) (string, bool), flags *pflag.FlagSet) (settings, error) {
	var s settings
	all := table()
	if path != "" {
		if err := s.loadFile(path, all); err != nil {
			return s, err
		}
	}
	for _, setting := range all {
		if text, ok := env(setting.env()); ok {
			if err := s.apply(setting, split(setting, text), "environment "+setting.env()); err != nil {
				return s, err
			}
		}
	}
	for _, setting := range all {
		if flag := flags.Lookup(setting.flag()); flag != nil && flag.Changed {
			if err := s.apply(setting, split(setting, flag.Value.String()), "flag --"+setting.flag()); err != nil {
				return s, err
			}
		}
	}
	return s, nil
}

// split gives the values in a text: a list has commas between them.
func split(setting setting, text string) []string {
	if !setting.list {
		return []string{text}
	}
	var values []string
	for value := range strings.SplitSeq(text, ",") {
		if value = strings.TrimSpace(value); value != "" {
			values = append(values, value)
		}
	}
	return values
}

// loadFile reads a YAML file, in which a relative data folder is relative to the file's.
func (s *settings) loadFile(path string, all []setting) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return mesh.Errorf(mesh.Invalid, "configuration", "%w", err)
	}
	if err := s.parseYAML(path, text, all); err != nil {
		return err
	}
	if dir := s.node.DataDir; dir != "" && !filepath.IsAbs(dir) {
		s.node.DataDir = filepath.Join(filepath.Dir(path), dir)
	}
	return nil
}
