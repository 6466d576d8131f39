package store

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

func TestNamespacesAreGivenOnceAndInOrder(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	for _, namespace := range []string{"b", "a", "a-b", "a.", "ab", "virga"} {
		for n := range 3 {
			key := mesh.Key{Namespace: namespace, Name: fmt.Sprint("k", n)}
			if _, _, err := s.Apply(t.Context(), key, lattice.SetKind, lattice.AddOp("x"), mesh.Logged); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		after string
		limit int
		want  string
		more  bool
	}{
		{"", 10, "[a a-b a. ab b virga]", false},
		{"", 6, "[a a-b a. ab b virga]", false},
		{"", 2, "[a a-b]", true},
		{"a-b", 2, "[a. ab]", true},
		{"ab", 10, "[b virga]", false},
		{"aa", 1, "[ab]", true},
		{"virga", 10, "[]", false},
	} {
		names, more, err := s.Namespaces(t.Context(), c.after, c.limit)
		if got := fmt.Sprint(names); err != nil || got != c.want || more != c.more {
			t.Errorf("after %q up to %d: %s, %v, %v; want %s, %v", c.after, c.limit, got, more, err, c.want, c.more)
		}
	}
}
