package mesh

import (
	"errors"
	"strings"
	"testing"
)

func TestConditionsSurviveAsText(t *testing.T) {
	for _, text := range []string{
		". == 3", "order.items.0.price >= 1.5", `name == "a b"`, "ok != true", ". < 0", ". <= 0", ". > -1e3",
		"a exists", "a.b missing", `. == {"a":[1,null]}`,
	} {
		c, err := ParseCondition(text)
		if err != nil {
			t.Errorf("ParseCondition(%q): %v", text, err)
		}
		if c.String() != text {
			t.Errorf("ParseCondition(%q) is %q", text, c)
		}
	}
}

func TestConditionsThatCannotBe(t *testing.T) {
	for text, want := range map[string]string{
		"":              "expected PATH OPERATOR VALUE",
		"ok":            `operator ""`,
		". = 3":         `operator "="`,
		". == three":    `value "three"`,
		". ==":          `value ""`,
		"a..b == 3":     `path "a..b"`,
		".a == 3":       `path ".a"`,
		"a exists true": `"true" after exists`,
		". == " + strings.Repeat("1", MaxCondition): "bytes: expected at most",
	} {
		if _, err := ParseCondition(text); !errors.Is(err, Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseCondition(%.40q) = %v, want Invalid with %s", text, err, want)
		}
	}
}

func FuzzParseCondition(f *testing.F) {
	f.Add(". == 3")
	f.Add("a.b  >=   [1, 2]")
	f.Add("a exists")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCondition(text)
		if err != nil {
			return
		}
		if again, err := ParseCondition(c.String()); err != nil || again != c {
			t.Errorf("%q is %q, which is %q: %v", text, c, again, err)
		}
	})
}
