package jsonl

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// maxLine bounds a line, in bytes: the largest value that a node takes, in base64.
const maxLine = 96 << 20

// Entry is what a line says.
type Entry struct {
	Line int // its number, from 1 on
	Key  mesh.Key
	Kind lattice.Kind
	// Ops write the value anew, in any order; none for one that is as if it was
	// never written.
	Ops     []lattice.Op
	Expires time.Time // zero: never
	Part    int       // 0: the line is the whole key
	// Left counts the concurrent values of registers that Ops do not write: of
	// such they write the first alone.
	Left int
}

// Reader reads lines. It is for one goroutine.
type Reader struct {
	lines  *bufio.Scanner
	number int
}

// NewReader reads from in.
func NewReader(in io.Reader) *Reader {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	return &Reader{lines: lines}
}

// Next gives the next entry, and io.EOF after the last one. A line that is
// not as package jsonl says is a mesh.Invalid error, whose operation names the
// line's number. Empty lines are passed over.
func (r *Reader) Next() (Entry, error) {
	for r.lines.Scan() {
		r.number++
		line := bytes.TrimSpace(r.lines.Bytes())
		if len(line) == 0 {
			continue
		}
		e, err := parseLine(line)
		if err != nil {
			return Entry{}, r.at(r.number, err)
		}
		e.Line = r.number
		return e, nil
	}
	switch err := r.lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return Entry{}, r.at(r.number+1, fmt.Errorf("the line is longer than %d bytes", maxLine))
	case err != nil:
		return Entry{}, r.at(r.number+1, err)
	}
	return Entry{}, io.EOF
}

func (r *Reader) at(number int, err error) error {
	var typed *mesh.Error
	text := err.Error()
	if errors.As(err, &typed) && err == error(typed) {
		text = typed.Text()
	}
	return mesh.Errorf(mesh.Invalid, fmt.Sprint("line ", number), "%s", text)
}

var lineFields = []string{"namespace", "key", "kind", "expires", "part", "value"}

func parseLine(line []byte) (e Entry, err error) {
	if !utf8.Valid(line) {
		return e, errors.New("the line is not UTF-8")
	}
	if line[0] != '{' {
		return e, fmt.Errorf("%s: expected a JSON object", shown(line))
	}
	o, err := parseWhole(line, lineFields...)
	if err == nil {
		err = o.must("namespace", "key", "kind", "value")
	}
	if err != nil {
		return e, err
	}
	if err := e.parseHead(o); err != nil {
		return e, err
	}
	w, err := parseValue(e.Kind, o["value"], 0)
	if err != nil {
		return e, fmt.Errorf("value of a %s: %w", e.Kind, err)
	}
	e.Ops, e.Left = w.ops, w.left
	return e, nil
}

// parseWhole reads an object after which nothing follows.
func parseWhole(line []byte, names ...string) (object, error) {
	o, err := parseObject(line, names...)
	if err == nil && !json.Valid(line) {
		err = errors.New("expected one JSON object, got more after it")
	}
	return o, err
}

// parseHead reads all but the value.
func (e *Entry) parseHead(o object) (err error) {
	if e.Key.Namespace, err = o.text("namespace"); err != nil {
		return err
	}
	if e.Key.Name, err = o.text("key"); err != nil {
		return err
	}
	if err := e.Key.Validate(); err != nil {
		return err
	}
	name, err := o.text("kind")
	if err != nil {
		return err
	}
	if e.Kind, err = lattice.ParseKind(name); err != nil {
		return fmt.Errorf("kind %q: expected one of %s", name, strings.Join(kindNames(), ", "))
	}
	if text, has := o["expires"]; has {
		if e.Expires, err = parseTime(text); err != nil {
			return fmt.Errorf("field \"expires\": %w", err)
		}
	}
	if text, has := o["part"]; has {
		if e.Part, err = strconv.Atoi(string(text)); err != nil || e.Part < 1 {
			return fmt.Errorf("field \"part\": %s: expected a whole number, at least 1", shown(text))
		}
	}
	return nil
}

func parseTime(text []byte) (time.Time, error) {
	s, err := parseString(text)
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.IsZero() {
		return time.Time{}, fmt.Errorf("%q: expected a time as 2006-01-02T15:04:05Z (RFC 3339)", s)
	}
	return t, nil
}
