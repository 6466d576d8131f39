package replica

import (
	"fmt"
	"strings"
	"testing"
)

func TestNamespacesOfNodesAreMerged(t *testing.T) {
	for _, c := range []struct {
		nodes []string // names; a last word "..." says that there are more
		want  string
		more  bool
	}{
		{[]string{"a b", "b c"}, "[a b c]", false},
		{[]string{"a c ...", "b d e"}, "[a b c]", true},
		{[]string{"a c ...", "b ..."}, "[a b]", true},
		{[]string{"", ""}, "[]", false},
	} {
		var parts []namespacesPart
		for _, node := range c.nodes {
			names, more := strings.CutSuffix(node, " ...")
			parts = append(parts, namespacesPart{names: strings.Fields(names), more: more})
		}
		names, more := mergeNamespaces(parts)
		if got := fmt.Sprint(names); got != c.want || more != c.more {
			t.Errorf("%q: %s, %v; want %s, %v", c.nodes, got, more, c.want, c.more)
		}
	}
}
