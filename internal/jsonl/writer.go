package jsonl

import (
	"bufio"
	"io"
	"strconv"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// lineBytes is about how long a line of a set or map gets; one with a single
// large element or field, or a large register, is longer.
const lineBytes = 1 << 20

// Writer writes lines. It is for one goroutine.
type Writer struct {
	out  *bufio.Writer
	line []byte
	last mesh.Key // that was written a part of
	part int      // of last

	keys, lines, bytes int64
}

// NewWriter writes to out, through a buffer that Flush empties.
func NewWriter(out io.Writer) *Writer { return &Writer{out: bufio.NewWriterSize(out, 64<<10)} }

// Write writes a key, or a piece of a set or map of which others follow or
// went before; expires is zero if the key does not. What is large becomes
// several lines. The error is that of the writer below.
func (w *Writer) Write(key mesh.Key, v lattice.Value, expires time.Time, piece bool) error {
	if key != w.last {
		w.last, w.part = key, 0
		w.keys++
	}
	items := itemsOf(v)
	if !v.Kind().Divisible() && v.Kind() != lattice.OrderedSetKind || items == nil {
		w.begin(key, v.Kind(), expires, piece)
		w.line = appendValue(w.line, v)
		return w.end()
	}
	return w.writeItems(key, v, expires, piece)
}

// writeItems writes a set or map, in lines of about lineBytes.
func (w *Writer) writeItems(key mesh.Key, v lattice.Value, expires time.Time, piece bool) error {
	begun, parts := false, piece
	for add := range itemsOf(v) {
		if begun && len(w.line) >= lineBytes {
			if !parts { // the line is the first of several after all
				parts = true
				w.markFirst(key, v.Kind(), expires)
			}
			w.line = append(w.line, ']')
			if err := w.end(); err != nil {
				return err
			}
			begun = false
		}
		if begun {
			w.line = append(w.line, ',')
		} else {
			w.begin(key, v.Kind(), expires, parts)
			w.line, begun = append(w.line, '['), true
		}
		w.line = add(w.line)
	}
	if !begun {
		w.begin(key, v.Kind(), expires, parts)
		w.line = append(w.line, '[')
	}
	w.line = append(w.line, ']')
	return w.end()
}

// markFirst makes of a line that was begun as that of a whole key the first part of it.
func (w *Writer) markFirst(key mesh.Key, kind lattice.Kind, expires time.Time) {
	whole := w.line
	w.line = nil
	w.begin(key, kind, expires, false)
	value := whole[len(w.line):]
	w.begin(key, kind, expires, true)
	w.line = append(w.line, value...)
}

// begin begins a line, up to its value.
func (w *Writer) begin(key mesh.Key, kind lattice.Kind, expires time.Time, part bool) {
	w.line = appendString(append(w.line[:0], `{"namespace":`...), key.Namespace)
	w.line = appendString(append(w.line, `,"key":`...), key.Name)
	w.line = appendString(append(w.line, `,"kind":`...), kind.String())
	if !expires.IsZero() {
		w.line = appendString(append(w.line, `,"expires":`...), expires.UTC().Format(time.RFC3339Nano))
	}
	if part {
		w.part++
		w.line = strconv.AppendInt(append(w.line, `,"part":`...), int64(w.part), 10)
	}
	w.line = append(w.line, `,"value":`...)
}

// end ends a line and writes it.
func (w *Writer) end() error {
	w.line = append(w.line, "}\n"...)
	w.lines++
	w.bytes += int64(len(w.line))
	_, err := w.out.Write(w.line)
	return err
}

// Flush writes what the buffer holds.
func (w *Writer) Flush() error { return w.out.Flush() }

// Written tells how many keys, lines and bytes were written.
func (w *Writer) Written() (keys, lines, bytes int64) { return w.keys, w.lines, w.bytes }
