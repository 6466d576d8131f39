package run

import (
	"cmp"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

// judge tells, by child, which of the edges that leave a stage are taken with
// a result. An error names the edge.
func (s *spec) judge(stage int, v mesh.Value) ([]bool, error) {
	st := &s.stages[stage]
	taken := make([]bool, len(st.children))
	result := result{value: v}
	for i, child := range st.children {
		to := &s.stages[child.stage]
		met, err := result.meets(to.condition(child.input))
		if err != nil {
			return nil, mesh.Errorf(mesh.UserError, "", "edge %s:%s: %w", st.name, to.name, err)
		}
		taken[i] = met
	}
	return taken, nil
}

// result is the result of a stage, decoded once for all its edges.
type result struct {
	value   mesh.Value
	decoded bool
	tree    any
}

// meets reports whether the result meets a condition.
func (r *result) meets(c mesh.Condition) (bool, error) {
	if c.IsZero() {
		return true, nil
	}
	at, found, err := r.at(c)
	switch {
	case err != nil:
		return false, err
	case c.Op == mesh.Exists:
		return found, nil
	case c.Op == mesh.Missing:
		return !found, nil
	case !found:
		return c.Op == mesh.NotEqual, nil
	}
	var want any
	if err := codec.Decode(mesh.Value{Format: mesh.JSON, Data: []byte(c.JSON)}, &want); err != nil {
		return false, err
	}
	return compare(at, c.Op, want), nil
}

// at finds what a condition is about. What has no parts that can be named,
// bytes or a message, is there as a whole, and cannot be looked into.
func (r *result) at(c mesh.Condition) (at any, found bool, err error) {
	switch r.value.Format {
	case mesh.Raw, mesh.Protobuf:
		if c.Path != "." || c.Op != mesh.Exists && c.Op != mesh.Missing {
			return nil, false, mesh.Errorf(mesh.Invalid, "", "the condition %q is on bytes: expected a result in JSON, CBOR or text, or '. exists'", c.String())
		}
		return nil, true, nil
	}
	if err := r.decode(); err != nil {
		return nil, false, err
	}
	if c.Path == "." {
		return r.tree, true, nil
	}
	at = r.tree
	for name := range strings.SplitSeq(c.Path, ".") {
		if at, found = field(at, name); !found {
			return nil, false, nil
		}
	}
	return at, true, nil
}

// decode makes a tree of the result: maps under names that are no text, which
// Go has no one type for, as JSON spells them.
func (r *result) decode() error {
	if r.decoded {
		return nil
	}
	err := codec.Decode(r.value, &r.tree)
	if err != nil {
		text, jsonErr := codec.ToJSON(r.value, "")
		if jsonErr != nil {
			return err
		}
		err = codec.Decode(mesh.Value{Format: mesh.JSON, Data: text}, &r.tree)
	}
	r.decoded = err == nil
	return err
}

// field finds a field of a map, or an element of a list.
func field(of any, name string) (any, bool) {
	switch of := of.(type) {
	case map[string]any:
		v, ok := of[name]
		return v, ok
	case []any:
		if n, err := strconv.Atoi(name); err == nil && n >= 0 && n < len(of) {
			return of[n], true
		}
	}
	return nil, false
}

// compare reports whether "got op want" holds.
func compare(got any, op mesh.Comparison, want any) bool {
	switch op {
	case mesh.Equal:
		return equal(got, want)
	case mesh.NotEqual:
		return !equal(got, want)
	}
	n, ok := order(got, want)
	if !ok {
		return false
	}
	switch op {
	case mesh.Less:
		return n < 0
	case mesh.AtMost:
		return n <= 0
	case mesh.Greater:
		return n > 0
	}
	return n >= 0
}

// equal compares values of any kind, numbers by what they are worth.
func equal(a, b any) bool {
	if n, ok := order(a, b); ok {
		return n == 0
	}
	switch a := a.(type) {
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equal)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, equal)
	case bool:
		return a == b
	case nil:
		return b == nil
	}
	return false
}

// order compares two numbers or two texts; not ok: they are not.
func order(a, b any) (n int, ok bool) {
	if a, isText := a.(string); isText {
		b, isText := b.(string)
		return cmp.Compare(a, b), isText
	}
	x, okX := worthOf(a)
	y, okY := worthOf(b)
	switch {
	case !okX || !okY:
		return 0, false
	case x.inf != 0 || y.inf != 0:
		return cmp.Compare(x.inf, y.inf), true
	}
	return x.exact.Cmp(y.exact), true
}

// worth is what a number is worth: exactly, or an infinity by its sign.
type worth struct {
	exact *big.Rat
	inf   int
}

func worthOf(v any) (worth, bool) {
	switch v := v.(type) {
	case int64:
		return worth{exact: new(big.Rat).SetInt64(v)}, true
	case uint64:
		return worth{exact: new(big.Rat).SetUint64(v)}, true
	case float64:
		switch {
		case math.IsNaN(v):
			return worth{}, false
		case math.IsInf(v, 0):
			return worth{inf: int(math.Copysign(1, v))}, true
		}
		return worth{exact: new(big.Rat).SetFloat64(v)}, true
	case big.Int:
		return worth{exact: new(big.Rat).SetInt(&v)}, true
	case *big.Int:
		return worth{exact: new(big.Rat).SetInt(v)}, true
	}
	return worth{}, false
}
