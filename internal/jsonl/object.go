package jsonl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// object is a JSON object whose names are known and each there once. Package
// json would take names in any case, and of one that is there twice the last.
type object map[string]json.RawMessage

// parseObject reads an object that may have members of these names only.
func parseObject(text []byte, names ...string) (object, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, fmt.Errorf("%s: expected an object", shown(text))
	}
	o := object{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, notJSON(err)
		}
		name := token.(string) // what else a name could be is an error of Token
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("unknown field %q: expected some of %s", name, strings.Join(names, ", "))
		}
		if _, twice := o[name]; twice {
			return nil, fmt.Errorf("field %q is there twice: expected each once", name)
		}
		var member json.RawMessage
		if err := decoder.Decode(&member); err != nil {
			return nil, notJSON(err)
		}
		o[name] = member
	}
	if _, err := decoder.Token(); err != nil {
		return nil, notJSON(err)
	}
	return o, nil
}

func notJSON(err error) error { return fmt.Errorf("expected JSON: %w", err) }

// must is an error that names the first of names that is not there.
func (o object) must(names ...string) error {
	for _, name := range names {
		if _, has := o[name]; !has {
			return fmt.Errorf("field %q is missing", name)
		}
	}
	return nil
}

// text reads a member that is a string.
func (o object) text(name string) (string, error) {
	s, err := parseString(o[name])
	if err != nil {
		return "", fmt.Errorf("field %q: %w", name, err)
	}
	return s, nil
}

func parseString(text []byte) (string, error) {
	var s *string
	if err := json.Unmarshal(text, &s); err != nil || s == nil {
		return "", fmt.Errorf("%s: expected a string", shown(text))
	}
	return *s, nil
}

// parseArray reads the elements of an array.
func parseArray(text []byte, of string) ([]json.RawMessage, error) {
	var all []json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil || all == nil {
		return nil, fmt.Errorf("%s: expected an array of %s", shown(text), of)
	}
	return all, nil
}

// shown is as much of a text as an error repeats.
func shown(text []byte) string {
	const most = 40
	if text = bytes.TrimSpace(text); len(text) > most {
		return string(bytes.ToValidUTF8(text[:most], nil)) + "..."
	}
	if len(text) == 0 {
		return "nothing"
	}
	return string(text)
}

// appendString appends a JSON string. It leaves <, > and & as they are.
func appendString(dst []byte, s string) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // a string has a form, and a buffer room
	return append(dst, bytes.TrimSuffix(out.Bytes(), []byte("\n"))...)
}
