//go:build !wasip1

package codec

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"unicode/utf8"

	"github.com/virga-mesh/virga/mesh"
)

// JSONReader reads what ToJSON writes, on one line, without holding it beside
// v where v is raw bytes, text or JSON; other formats are turned into JSON
// whole. The bytes of v must not change until it has been read.
func JSONReader(v mesh.Value) (io.Reader, error) {
	switch {
	case v.Format == mesh.Raw:
		return quoted(&piecewise{rest: v.Data, next: nextBase64}), nil
	case v.Format == mesh.Text && utf8.Valid(v.Data):
		return quoted(&piecewise{rest: v.Data, next: nextText}), nil
	case v.Format == mesh.JSON && utf8.Valid(v.Data) && json.Valid(v.Data):
		return &piecewise{rest: v.Data, next: compactor()}, nil
	}
	text, err := ToJSON(v, "")
	if err != nil {
		return nil, err
	}
	return bytes.NewReader(text), nil
}

func quoted(inner io.Reader) io.Reader {
	return io.MultiReader(bytes.NewReader([]byte{'"'}), inner, bytes.NewReader([]byte{'"'}))
}

// maxPiece bounds what is turned into JSON at once, in bytes of the value. It
// is a multiple of 3, so that base64 pads the last piece only.
const maxPiece = 12 << 10

// piecewise turns a value's bytes into others, piece by piece.
type piecewise struct {
	rest []byte
	next func(out *bytes.Buffer, rest []byte) (after []byte)
	out  bytes.Buffer
}

func (p *piecewise) Read(b []byte) (int, error) {
	for p.out.Len() == 0 {
		if len(p.rest) == 0 {
			return 0, io.EOF
		}
		p.out.Reset()
		p.rest = p.next(&p.out, p.rest)
	}
	return p.out.Read(b)
}

func nextBase64(out *bytes.Buffer, rest []byte) []byte {
	piece := rest[:min(len(rest), maxPiece)]
	out.Write(base64.StdEncoding.AppendEncode(out.AvailableBuffer(), piece))
	return rest[len(piece):]
}

// nextText escapes a piece as the string that it is a part of.
func nextText(out *bytes.Buffer, rest []byte) []byte {
	n := min(len(rest), maxPiece)
	for n < len(rest) && !utf8.RuneStart(rest[n]) {
		n--
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(string(rest[:n])); err != nil {
		panic("codec: a string has no JSON form: " + err.Error())
	}
	out.Truncate(out.Len() - len("\"\n"))
	out.Next(1) // the first quotation mark
	return rest[n:]
}

// compactor drops the white space between the tokens of a valid JSON text.
func compactor() func(*bytes.Buffer, []byte) []byte {
	var inString, escaped bool
	return func(out *bytes.Buffer, rest []byte) []byte {
		piece := rest[:min(len(rest), maxPiece)]
		for _, c := range piece {
			switch {
			case escaped:
				escaped = false
			case inString && c == '\\':
				escaped = true
			case c == '"':
				inString = !inString
			case !inString && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
				continue
			}
			out.WriteByte(c)
		}
		return rest[len(piece):]
	}
}
