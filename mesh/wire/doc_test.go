package wire

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The table of frames in docs/wire.md names every message, by its number, and no other.
func TestDocumentedFrames(t *testing.T) {
	page, err := os.ReadFile("../../docs/wire.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "## Types of frames")
	table, _, _ = strings.Cut(table, "\n## ")
	rows := 0
	for line := range strings.Lines(table) {
		var number Type
		var name string
		if n, _ := fmt.Sscanf(line, "| %d | %s |", &number, &name); n < 2 {
			continue
		}
		rows++
		if m := number.New(); m == nil || string(m.ProtoReflect().Descriptor().Name()) != name {
			t.Errorf("docs/wire.md says that type %d is %s: it is %T", number, name, m)
		}
	}
	if rows != len(prototypes) {
		t.Errorf("docs/wire.md lists %d messages: there are %d", rows, len(prototypes))
	}
}
