package jsonl

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// written is what writes a value anew: operations that may be made in any
// order, and beside one another.
type written struct {
	ops []lattice.Op
	// left counts the concurrent values of registers that no operation writes:
	// each would replace the one before.
	left int
}

func one(op lattice.Op) written { return written{ops: []lattice.Op{op}} }

// maxDepth is how deep the fields of maps nest; Op is refused beyond that.
const maxDepth = 15

// parseValue reads a value of a kind, within so many maps.
func parseValue(kind lattice.Kind, text json.RawMessage, depth int) (w written, err error) {
	switch kind {
	case lattice.LWWKind, lattice.PriorityKind, lattice.MaxKind, lattice.MinKind:
		if string(text) == unwritten {
			return w, nil
		}
		op, err := parseRegister(kind, text)
		return one(op), err
	case lattice.MVRegisterKind, lattice.CausalKind, lattice.MultiCausalKind:
		return parseSiblings(text)
	case lattice.SetKind, lattice.OrderedSetKind, lattice.ORSetKind:
		return parseElements(text)
	case lattice.MapKind, lattice.ORMapKind:
		return parseFields(kind, text, depth)
	case lattice.BoolKind, lattice.FlagKind:
		return parseSwitch(kind, text)
	case lattice.ClockKind:
		return parseClock(text)
	}
	return parseSum(kind, text)
}

func parseSum(kind lattice.Kind, text json.RawMessage) (w written, err error) {
	n, err := strconv.ParseInt(string(text), 10, 64)
	switch {
	case err != nil:
		return w, fmt.Errorf("%s: expected a whole number of 64 bits", shown(text))
	case n < 0 && kind == lattice.GCounterKind:
		return w, fmt.Errorf("%d: expected at least 0", n)
	}
	return one(lattice.IncOp(n)), nil
}

func parseRegister(kind lattice.Kind, text json.RawMessage) (op lattice.Op, err error) {
	switch kind {
	case lattice.LWWKind:
		payload, err := parsePayload(text)
		return lattice.SetOp(payload), err
	case lattice.PriorityKind:
		return parsePriority(text)
	}
	scalar, err := parseScalar(text)
	return lattice.OfferOp(scalar), err
}

func parsePriority(text json.RawMessage) (op lattice.Op, err error) {
	o, err := parseObject(text, "priority", "value")
	if err == nil {
		err = o.must("priority", "value")
	}
	if err != nil {
		return op, err
	}
	priority, err := parseFloat(o["priority"])
	if err != nil {
		return op, err
	}
	payload, err := parsePayload(o["value"])
	return lattice.SetPriorityOp(priority, payload), err
}

func parseScalar(text json.RawMessage) (lattice.Scalar, error) {
	if text[0] == '"' {
		s, err := parseString(text)
		return lattice.TextScalar(s), err
	}
	if o, err := parseObject(text, "bytes"); err == nil && len(o) == 1 {
		data, err := parseBase64(o["bytes"])
		return lattice.TextScalar(string(data)), err
	}
	if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return lattice.IntScalar(n), nil
	}
	f, err := parseFloat(text)
	if err != nil {
		return lattice.Scalar{}, fmt.Errorf("%s: expected a number, a string, {\"float\": \"Infinity\"} or {\"bytes\": base64}", shown(text))
	}
	return lattice.FloatScalar(f), nil
}

func parseFloat(text json.RawMessage) (float64, error) {
	literal := string(text)
	if o, err := parseObject(text, "float"); err == nil && len(o) == 1 {
		if literal, err = o.text("float"); err != nil || strings.TrimPrefix(literal, "-") != infinity {
			return 0, fmt.Errorf("%s: expected %s or -%s", shown(text), infinity, infinity)
		}
	} else if c := text[0]; c != '-' && (c < '0' || c > '9') {
		return 0, fmt.Errorf("%s: expected a number", shown(text))
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: expected a number that a float64 holds", shown(text))
	}
	return f, nil
}

// parseSiblings takes the first of concurrent values, which is the one that
// readers of one value see.
func parseSiblings(text json.RawMessage) (w written, err error) {
	all, err := parseArray(text, "payloads")
	if err != nil {
		return w, err
	}
	for i, sibling := range all {
		payload, err := parsePayload(sibling)
		if err != nil {
			return w, fmt.Errorf("value %d: %w", i+1, err)
		}
		if i == 0 {
			w.ops = append(w.ops, lattice.SetOp(payload))
		}
	}
	w.left = max(0, len(all)-1)
	return w, nil
}

// Bounds of one operation on a set.
const (
	opElements = 1000
	opBytes    = 256 << 10
)

func parseElements(text json.RawMessage) (w written, err error) {
	all, err := parseArray(text, "payloads")
	if err != nil {
		return w, err
	}
	if len(all) == 0 {
		return one(lattice.AddOp()), nil
	}
	elements := make([]string, len(all))
	for i, element := range all {
		payload, err := parsePayload(element)
		if err != nil {
			return w, fmt.Errorf("element %d: %w", i+1, err)
		}
		elements[i] = string(payload)
	}
	return written{ops: adding(elements)}, nil
}

// adding gives operations that add elements, each of which touches few parts
// of a large set: a write to each part is a write of its own.
func adding(elements []string) (ops []lattice.Op) {
	if len(elements) > opElements {
		parts := make(map[string]uint16, len(elements))
		for _, e := range elements {
			parts[e] = mesh.PartOf(e)
		}
		slices.SortStableFunc(elements, func(a, b string) int { return cmp.Compare(parts[a], parts[b]) })
	}
	from, size := 0, 0
	for i, e := range elements {
		if size += len(e); size >= opBytes || i+1-from == opElements || i+1 == len(elements) {
			ops = append(ops, lattice.AddOp(elements[from:i+1]...))
			from, size = i+1, 0
		}
	}
	return ops
}

// noField is the name of a field that is taken out of an or-map to make an
// empty one. No map of a user has it.
const noField = "\x00none"

func parseFields(kind lattice.Kind, text json.RawMessage, depth int) (w written, err error) {
	if depth == maxDepth {
		return w, fmt.Errorf("maps within maps: expected at most %d", maxDepth)
	}
	all, err := parseArray(text, `objects with "field", "kind" and "value"`)
	if err != nil {
		return w, err
	}
	if len(all) == 0 && kind == lattice.ORMapKind {
		return one(lattice.DropOp(noField)), nil
	}
	seen := make(map[string]bool, len(all))
	for i, field := range all {
		name, inside, err := w.addField(field, depth)
		switch {
		case err != nil:
			return w, fmt.Errorf("field %d: %w", i+1, err)
		case seen[name]:
			return w, fmt.Errorf("field %d: %q is there twice: expected each once", i+1, name)
		}
		seen[name] = true
		w.left += inside
	}
	return w, nil
}

// addField adds what writes a field, and gives its name and what is left of it.
func (w *written) addField(text json.RawMessage, depth int) (name string, left int, err error) {
	o, err := parseObject(text, "field", "field"+base64Suffix, "kind", "value")
	if err == nil {
		name, err = o.name("field", "kind", "value")
	}
	if err != nil {
		return name, 0, err
	}
	kind, err := o.kind()
	if err != nil {
		return name, 0, err
	}
	inside, err := parseValue(kind, o["value"], depth+1)
	if err != nil {
		return name, 0, fmt.Errorf("%q: %w", name, err)
	}
	for _, op := range inside.ops {
		w.ops = append(w.ops, lattice.PutOp(name, kind, op))
	}
	return name, inside.left, nil
}

// name reads a name that may stand in a member of its own for not being
// UTF-8, of an object that has all of others, too.
func (o object) name(member string, others ...string) (string, error) {
	if err := o.must(others...); err != nil {
		return "", err
	}
	encoded, is := o[member+base64Suffix]
	if _, both := o[member]; both == is {
		return "", fmt.Errorf("expected a field %q, or else %q", member, member+base64Suffix)
	}
	if !is {
		return o.text(member)
	}
	name, err := parseBase64(encoded)
	return string(name), err
}

func (o object) kind() (lattice.Kind, error) {
	name, err := o.text("kind")
	if err != nil {
		return lattice.NoKind, err
	}
	return lattice.ParseKind(name)
}

func parseSwitch(kind lattice.Kind, text json.RawMessage) (w written, err error) {
	switch {
	case string(text) == "true":
		return one(lattice.EnableOp()), nil
	case string(text) != "false":
		return w, fmt.Errorf("%s: expected true or false", shown(text))
	case kind == lattice.FlagKind:
		return one(lattice.DisableOp()), nil
	}
	return w, nil // a bool that is not true was never written
}

// kindNames lists the kinds that a line may have.
func kindNames() []string {
	var names []string
	for _, kind := range lattice.Kinds() {
		names = append(names, kind.String())
	}
	slices.Sort(names)
	return names
}
