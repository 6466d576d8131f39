package mesh

import (
	"fmt"
	"strings"
	"testing"
)

func TestWhatComesBeforeAStage(t *testing.T) {
	for _, c := range []struct {
		dag, anyOf  string
		stage, want string
	}{
		{"a b c a:b b:c", "", "a", ""},
		{"a b c a:b b:c", "", "c", "a b"},
		{"a b c d a:b a:c b:d c:d", "", "d", "a b c"},
		{"a b c d a:b a:c b:d c:d", "", "c", "a"},
		{"d c b a a:b a:c b:d c:d", "", "d", "a b c"}, // whatever is declared first
		{"a b c d a:c b:d", "", "d", "b"},
		{"a b c d a:b a:c b:d c:d", "d", "d", "a"},
		{"a b c d a:b a:c b:d c:d", "d", "d<b", "a b"},
		{"a b c d e a:b a:c b:d c:d d:e", "d", "e", "a"},
		{"a b c d e a:c b:d c:e d:e", "e", "e", ""},
		{"a b c d a:b b:c c:d", "b c", "c<b", "a"},
		{"a b c d a:b b:c c:d", "b c", "d", "a"},
		{"a b a:b", "", "nosuch", ""},
		{"a b a:b b:a", "", "a", "a b"},
	} {
		d := dag(c.dag)
		for stage := range strings.FieldsSeq(c.anyOf) {
			d.Stages[d.Stage(stage)].Any = &AnyOf{}
		}
		if got := strings.Join(d.Earlier(c.stage), " "); got != c.want {
			t.Errorf("%s, any-of %q: before %s come %q, want %q", c.dag, c.anyOf, c.stage, got, c.want)
		}
	}
}

func TestWhatComesBeforeAStageOfManyWays(t *testing.T) {
	var text strings.Builder // each of two stages feeds both of the next two
	const rows = 100
	for row := range rows {
		fmt.Fprintf(&text, "l%d r%d ", row, row)
		for _, from := range "lr" {
			for _, to := range "lr" {
				if row > 0 {
					fmt.Fprintf(&text, "%c%d:%c%d ", from, row-1, to, row)
				}
			}
		}
	}
	if got := dag(text.String()).Earlier(fmt.Sprint("l", rows-1)); len(got) != 2*rows-2 {
		t.Errorf("%d stages come before the last: want %d", len(got), 2*rows-2)
	}
}
