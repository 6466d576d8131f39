package replica

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/lattice"
)

// scanned makes what a node gives from words: a name, "=" and elements of a
// set joined by +, - for deleted or ! for omitted; a last word "..." says
// that there is more.
func scanned(t *testing.T, text string) (p scanPart) {
	for _, word := range strings.Fields(text) {
		if word == "..." {
			p.more = true
			continue
		}
		name, state, _ := strings.Cut(word, "=")
		k := scannedCell{name: name, omitted: state == "!"}
		switch state {
		case "!":
		case "-":
			k.cell = lattice.NewCell(lattice.Stamp{Time: 9, Node: "n"}, lattice.Value{})
		default:
			delta, err := lattice.Apply(lattice.New(lattice.SetKind), lattice.AddOp(strings.Split(state, "+")...), lattice.Write{})
			if err != nil {
				t.Fatal(err)
			}
			k.cell = lattice.NewCell(lattice.Stamp{}, delta)
		}
		p.keys = append(p.keys, k)
	}
	return p
}

func scanText(p ScanPage) string {
	var words []string
	for _, k := range p.Keys {
		state := "!"
		if !k.Omitted {
			var elements []string
			for e := range k.Value.Elements() {
				elements = append(elements, e)
			}
			state = strings.Join(elements, "+")
		}
		words = append(words, k.Name+"="+state)
	}
	if p.More {
		words = append(words, "... after "+p.Last)
	}
	return strings.Join(words, " ")
}

func TestScansOfNodesAreMerged(t *testing.T) {
	for _, test := range []struct {
		nodes []string
		limit int
		want  string
	}{
		{[]string{"a=1 b=2"}, 10, "a=1 b=2"},
		{[]string{"a=1 b=2", "a=1+3 c=4"}, 10, "a=1+3 b=2 c=4"},
		{[]string{"a=1 b=2", "b=-"}, 10, "a=1"},
		{[]string{"a=!", "a=1"}, 10, "a=!"},
		{[]string{"a=1 b=2 c=3"}, 2, "a=1 b=2 ... after b"},
		{[]string{"a=1 b=2"}, 2, "a=1 b=2"},
		{[]string{"a=1 c=3 ...", "b=2 d=4 e=5"}, 10, "a=1 b=2 c=3 ... after c"},
		{[]string{"a=1 c=3 ...", "b=2 d=4 ..."}, 2, "a=1 b=2 ... after b"},
		{[]string{"a=1 b=2 ...", "d=4 ..."}, 10, "a=1 b=2 ... after b"},
		{[]string{"a=- b=- ..."}, 10, "... after b"},
		{[]string{"", ""}, 10, ""},
	} {
		var parts []scanPart
		for _, node := range test.nodes {
			parts = append(parts, scanned(t, node))
		}
		if got := scanText(mergeScans(parts, test.limit, time.Now)); got != test.want {
			t.Errorf("%q up to %d: %s; want %s", test.nodes, test.limit, got, test.want)
		}
	}
}

func TestAScannedPageIsBoundedInBytes(t *testing.T) {
	var words []string
	for n := range 8 {
		words = append(words, fmt.Sprintf("k%d=%s", n, strings.Repeat("x", maxScanBytes/3)))
	}
	page := mergeScans([]scanPart{scanned(t, strings.Join(words, " "))}, 100, time.Now)
	if len(page.Keys) != 3 || !page.More || page.Last != "k2" {
		t.Errorf("%d keys, more %v after %q: expected 3 of 8", len(page.Keys), page.More, page.Last)
	}
}
