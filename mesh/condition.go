package mesh

import (
	"encoding/json"
	"slices"
	"strings"
)

// Condition says whether an edge is taken, by the result of the stage that it
// leaves. The zero Condition is always met.
//
// As text it is "PATH OPERATOR VALUE": PATH names a field of the result,
// "order.items.0.price" or "." for the result itself; VALUE is JSON. Or it is
// "PATH exists" or "PATH missing".
type Condition struct {
	Path string // ".", or the names of fields and indexes of lists, with dots between
	Op   Comparison
	JSON string // what is compared with: a JSON value; empty for Exists and Missing
}

// Comparison is the operator of a Condition.
type Comparison string

// The comparisons. Equal and NotEqual take any JSON value, numbers by what
// they are worth; the others order two numbers or two strings, and are not
// met by anything else.
const (
	Equal    Comparison = "=="
	NotEqual Comparison = "!="
	Less     Comparison = "<"
	AtMost   Comparison = "<="
	Greater  Comparison = ">"
	AtLeast  Comparison = ">="
	Exists   Comparison = "exists"
	Missing  Comparison = "missing"
)

var comparisons = []Comparison{Equal, NotEqual, AtMost, AtLeast, Less, Greater, Exists, Missing}

// MaxCondition bounds the text of a condition, in bytes.
const MaxCondition = 4096

// unary reports whether the comparison takes no value.
func (c Comparison) unary() bool { return c == Exists || c == Missing }

// IsZero reports whether the condition is always met.
func (c Condition) IsZero() bool { return c == Condition{} }

// String is the text of the condition, empty if it is always met.
func (c Condition) String() string {
	switch {
	case c.IsZero():
		return ""
	case c.Op.unary():
		return c.Path + " " + string(c.Op)
	}
	return c.Path + " " + string(c.Op) + " " + c.JSON
}

// ParseCondition reads what String writes.
func ParseCondition(text string) (Condition, error) {
	path, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	op, value, _ := strings.Cut(strings.TrimSpace(rest), " ")
	c := Condition{Path: path, Op: Comparison(op), JSON: strings.TrimSpace(value)}
	if c.IsZero() {
		return c, Errorf(Invalid, "condition", "nothing: expected PATH OPERATOR VALUE, such as '. > 3'")
	}
	return c, c.Validate()
}

// Validate gives an Invalid error that says what is wrong. A zero Condition is valid.
func (c Condition) Validate() error {
	if c.IsZero() {
		return nil
	}
	switch {
	case len(c.String()) > MaxCondition:
		return Errorf(Invalid, "condition", "%d bytes: expected at most %d", len(c.String()), MaxCondition)
	case c.Path != "." && slices.Contains(strings.Split(c.Path, "."), ""):
		return c.invalid("path %q: expected names of fields with dots between, or '.' for the whole result", c.Path)
	case !slices.Contains(comparisons, c.Op):
		return c.invalid("operator %q: expected one of ==, !=, <, <=, >, >=, exists, missing", string(c.Op))
	case c.Op.unary() && c.JSON != "":
		return c.invalid("%q after %s: expected nothing", c.JSON, c.Op)
	case !c.Op.unary() && !json.Valid([]byte(c.JSON)):
		return c.invalid("value %q: expected JSON, such as 3, true or \"text\"", c.JSON)
	}
	return nil
}

func (c Condition) invalid(format string, args ...any) error {
	return Errorf(Invalid, "condition "+c.String(), format, args...)
}
