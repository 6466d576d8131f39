package main

import (
	"errors"
	"slices"
	"testing"

	"github.com/virga-mesh/virga/mesh"
)

func TestLinesBecomeWords(t *testing.T) {
	for line, want := range map[string][]string{
		"":                           nil,
		"  \t ":                      nil,
		"# a comment":                nil,
		"get  greeting ":             {"get", "greeting"},
		"put k 'a b'":                {"put", "k", "a b"},
		`put k "a \"b\" 'c'"`:        {"put", "k", `a "b" 'c'`},
		`put k '{"a": "\n"}' --json`: {"put", "k", `{"a": "\n"}`, "--json"},
		`put k a\ b`:                 {"put", "k", "a b"},
		`put k '' ""`:                {"put", "k", "", ""},
		`put k a'b c'd # comment`:    {"put", "k", "ab cd"},
		"put k#1 a#b":                {"put", "k#1", "a#b"},
		"put k é\r":                  {"put", "k", "é"},
	} {
		if got, err := splitWords(line); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q gave %q, %v: expected %q", line, got, err, want)
		}
	}
	for _, line := range []string{`put k "a`, "put k 'a", `put k a\`} {
		if got, err := splitWords(line); !errors.Is(err, mesh.Invalid) {
			t.Errorf("%q gave %q, %v: expected Invalid", line, got, err)
		}
	}
}
