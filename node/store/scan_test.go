package store

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

func TestScanGivesCellsInOrder(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	for _, name := range []string{"b", "a", "ab", "a\x01", "c", "gone"} {
		apply(t, s, name, lattice.SetKind, lattice.AddOp("x"))
	}
	for n := range uint16(40) {
		if _, err := s.Merge(t.Context(), key("a").Part(n*20), addDelta("x"), mesh.Logged); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := s.Delete(t.Context(), key("gone"), mesh.Logged); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		prefix, after   string
		limit, maxBytes int
		want            string
		more            bool
	}{
		{"", "", 100, 1 << 20, `["a" "a\x01" "ab" "b" "c" "gone -"]`, false},
		{"", "a", 2, 1 << 20, `["a\x01" "ab"]`, true},
		{"", "c", 1, 1 << 20, `["gone -"]`, false},
		{"a", "", 100, 1 << 20, `["a" "a\x01" "ab"]`, false},
		{"", "", 100, 1, `["a"]`, true},
		{"z", "", 100, 1, `[]`, false},
	} {
		records, more, err := s.Scan(t.Context(), "default", c.prefix, c.after, c.limit, c.maxBytes)
		var names []string
		for _, record := range records {
			name := record.Key.Name
			if record.Cell.Deleted() {
				name += " -"
			}
			names = append(names, name)
		}
		if got := fmt.Sprintf("%q", names); err != nil || got != c.want || more != c.more {
			t.Errorf("%q after %q up to %d: %s, %v, %v; want %s, %v", c.prefix, c.after, c.limit, got, more, err, c.want, c.more)
		}
	}
}
