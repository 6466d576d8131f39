package jsonl

import (
	"encoding/json"
	"iter"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/virga-mesh/virga/lattice"
)

// unwritten stands for a register that holds nothing.
const unwritten = "{}"

// appendValue appends a value of any kind.
func appendValue(dst []byte, v lattice.Value) []byte {
	if items := itemsOf(v); items != nil {
		dst = append(dst, '[')
		first := true
		for item := range items {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = item(dst)
		}
		return append(dst, ']')
	}
	switch v.Kind() {
	case lattice.LWWKind:
		if payload, written := v.Payload(); written {
			return appendPayload(dst, payload)
		}
		return append(dst, unwritten...)
	case lattice.PriorityKind:
		return appendPriority(dst, v)
	case lattice.MaxKind, lattice.MinKind:
		return appendScalar(dst, v.Scalar())
	case lattice.BoolKind, lattice.FlagKind:
		on, _ := v.Enabled()
		return strconv.AppendBool(dst, on)
	}
	n, _ := v.Count()
	return strconv.AppendInt(dst, n, 10)
}

// item appends one element, field, sibling or count of a value.
type item func(dst []byte) []byte

// itemsOf gives what a value that is an array consists of, nil for others.
func itemsOf(v lattice.Value) iter.Seq[item] {
	switch v.Kind() {
	case lattice.SetKind, lattice.OrderedSetKind, lattice.ORSetKind:
		return func(yield func(item) bool) {
			for e := range v.Elements() {
				if !yield(func(dst []byte) []byte { return appendPayload(dst, []byte(e)) }) {
					return
				}
			}
		}
	case lattice.MVRegisterKind, lattice.CausalKind, lattice.MultiCausalKind:
		return func(yield func(item) bool) {
			for payload := range v.Siblings() {
				if !yield(func(dst []byte) []byte { return appendPayload(dst, payload) }) {
					return
				}
			}
		}
	case lattice.MapKind, lattice.ORMapKind:
		return func(yield func(item) bool) {
			for name, field := range v.Fields() {
				if !yield(func(dst []byte) []byte { return appendField(dst, name, field) }) {
					return
				}
			}
		}
	case lattice.ClockKind:
		return func(yield func(item) bool) {
			for writer, count := range v.Clock().All() {
				if !yield(func(dst []byte) []byte { return appendCount(dst, writer, count) }) {
					return
				}
			}
		}
	}
	return nil
}

func appendField(dst []byte, name string, field lattice.Value) []byte {
	dst = appendName(append(dst, '{'), "field", name)
	dst = appendString(append(dst, `,"kind":`...), field.Kind().String())
	return append(appendValue(append(dst, `,"value":`...), field), '}')
}

func appendCount(dst []byte, writer string, count uint64) []byte {
	dst = append(appendName(append(dst, '{'), "writer", writer), `,"count":`...)
	return append(strconv.AppendUint(dst, count, 10), '}')
}

// base64Suffix is that of the member in which a name that is not UTF-8 stands.
const base64Suffix = "-base64"

func appendName(dst []byte, member, name string) []byte {
	if utf8.ValidString(name) {
		return appendString(append(appendString(dst, member), ':'), name)
	}
	return appendBase64(append(appendString(dst, member+base64Suffix), ':'), []byte(name))
}

func appendPriority(dst []byte, v lattice.Value) []byte {
	payload, written := v.Payload()
	if !written {
		return append(dst, unwritten...)
	}
	priority, _ := v.Priority()
	dst = appendFloat(append(dst, `{"priority":`...), priority)
	return append(appendPayload(append(dst, `,"value":`...), payload), '}')
}

func appendScalar(dst []byte, s lattice.Scalar) []byte {
	if n, is := s.Int(); is {
		return strconv.AppendInt(dst, n, 10)
	}
	if f, is := s.Float(); is {
		return appendFloat(dst, f)
	}
	text, is := s.Text()
	switch {
	case !is:
		return append(dst, unwritten...)
	case utf8.ValidString(text):
		return appendString(dst, text)
	}
	return appendTagged(dst, "bytes", []byte(text))
}

// infinity is the one number that is none in JSON and may be here; it may have a sign.
const infinity = "Infinity"

// appendFloat appends a number with a fraction or an exponent, so that it is
// told from an integer.
func appendFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(dst, `{"float":"`+infinity+`"}`...)
	case math.IsInf(f, -1):
		return append(dst, `{"float":"-`+infinity+`"}`...)
	}
	literal, _ := json.Marshal(f) // NaN is neither a scalar nor a priority
	dst = append(dst, literal...)
	if !strings.ContainsAny(string(literal), ".e") {
		dst = append(dst, ".0"...)
	}
	return dst
}
