//go:build !wasip1

package codec

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/fxamacker/cbor/v2"

	"github.com/virga-mesh/virga/mesh"
)

// referenceTag is the CBOR tag of a reference on its way into a template. It
// never leaves the process.
const referenceTag = 0x56524741 // "VRGA"

var referenceHead = appendHead(nil, majorTag, referenceTag)

// MarshalReference is for the MarshalCBOR of types that stand for references
// in arguments. What it gives, only Template takes: Encode refuses it.
func MarshalReference(r mesh.Reference) ([]byte, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	content := referenceContent{Namespace: r.Key.Namespace, Name: r.Key.Name, Run: r.Run[:], Raw: r.Raw}
	return encMode.Marshal(cbor.Tag{Number: referenceTag, Content: content})
}

type referenceContent struct {
	_         struct{} `cbor:",toarray"`
	Namespace string
	Name      string
	Run       []byte
	Raw       bool
}

// Template is Encode for an argument, in which references may stand, at any
// depth: they become holes, in the order of their offsets. A value that is a
// reference as a whole has one hole, with an empty path.
func Template(v any) (mesh.Value, []mesh.Hole, error) {
	value, err := encode(v)
	if err != nil || value.Format != mesh.CBOR || !bytes.Contains(value.Data, referenceHead) {
		return value, nil, err
	}
	if _, encoded := v.(mesh.Value); encoded {
		return value, nil, nil
	}
	t := template{in: value.Data, out: make([]byte, 0, len(value.Data))}
	if err := t.item(); err != nil {
		return mesh.Value{}, nil, err
	}
	return mesh.Value{Format: mesh.CBOR, Data: t.out}, t.holes, nil
}

// refuseReferences gives an Invalid error if a reference stands in what was encoded.
func refuseReferences(data []byte) error {
	if !bytes.Contains(data, referenceHead) {
		return nil
	}
	t := template{in: data}
	if err := t.item(); err != nil || len(t.holes) == 0 {
		return err
	}
	return invalid("encode", "%s stands at %s: references are for the arguments of a call; expected a value", t.holes[0].Reference, cmp.Or(t.holes[0].Path, "."))
}

// template copies CBOR from in to out, and makes holes of references.
type template struct {
	in, out []byte
	steps   []step // to where it is
	holes   []mesh.Hole
}

// step goes into an array, or a map.
type step struct {
	index uint64
	key   []byte // an item; nil in arrays
}

// unnamed is a step that paths do not tell.
var unnamed = step{key: []byte{}}

// path is where the template is, for people.
func (t *template) path() string {
	var b strings.Builder
	for _, s := range t.steps {
		var name any
		if s.key == nil {
			fmt.Fprintf(&b, "[%d]", s.index)
		} else if err := decMode.Unmarshal(s.key, &name); err == nil {
			fmt.Fprintf(&b, ".%v", name)
		}
	}
	return strings.ToValidUTF8(b.String()[:min(b.Len(), mesh.MaxHolePath)], "")
}

func (t *template) invalid(format string, args ...any) error {
	return invalid("encode", "at %s: %s", cmp.Or(t.path(), "."), fmt.Sprintf(format, args...))
}

// within copies the item to which a step leads.
func (t *template) within(s step) error {
	if len(t.steps) >= maxNesting {
		return t.invalid("nested too deep: expected at most %d levels", maxNesting)
	}
	t.steps = append(t.steps, s)
	err := t.item()
	t.steps = t.steps[:len(t.steps)-1]
	return err
}

// item copies one item.
func (t *template) item() error {
	start := t.in
	major, n, err := t.head()
	if err != nil {
		return err
	}
	switch {
	case major == majorTag && n == referenceTag:
		return t.hole()
	case major == majorBytes || major == majorText:
		if n > uint64(len(t.in)) {
			return t.cut()
		}
		t.in = t.in[n:]
	}
	t.out = append(t.out, start[:len(start)-len(t.in)]...)
	switch major {
	case majorTag:
		return t.within(unnamed)
	case majorArray:
		for i := range n {
			if err := t.within(step{index: i}); err != nil {
				return err
			}
		}
	case majorMap:
		for range n {
			if err := t.pair(); err != nil {
				return err
			}
		}
	}
	return nil
}

// pair copies a key of a map and what is under it.
func (t *template) pair() error {
	key, before := t.in, len(t.holes)
	if err := t.within(unnamed); err != nil {
		return err
	}
	if len(t.holes) > before {
		return t.invalid("a key of a map refers to %s: expected a value", t.holes[before].Reference)
	}
	return t.within(step{key: key[:len(key)-len(t.in)]})
}

// hole leaves a hole where a reference stands.
func (t *template) hole() error {
	var content referenceContent
	rest, err := decMode.UnmarshalFirst(t.in, &content)
	if err != nil || len(content.Run) != len(mesh.RunID{}) {
		return t.invalid("a reference of another form: expected a key or a run")
	}
	t.in = rest
	t.holes = append(t.holes, mesh.Hole{Offset: len(t.out), Path: t.path(), Reference: mesh.Reference{
		Key: mesh.Key{Namespace: content.Namespace, Name: content.Name}, Run: mesh.RunID(content.Run), Raw: content.Raw,
	}})
	t.out = append(t.out, cborNull)
	return nil
}

// head reads the head of an item: its major type, and its argument.
func (t *template) head() (major byte, n uint64, err error) {
	if len(t.in) == 0 {
		return 0, 0, t.cut()
	}
	first := t.in[0]
	major, n = first&majorMask, uint64(first&^majorMask)
	if n < 24 {
		t.in = t.in[1:]
		return major, n, nil
	}
	if n > 27 {
		return 0, 0, t.invalid("an item of no definite length beside references")
	}
	width := 1 << (n - 24)
	if len(t.in) < 1+width {
		return 0, 0, t.cut()
	}
	var wide [8]byte
	copy(wide[8-width:], t.in[1:1+width])
	t.in = t.in[1+width:]
	return major, binary.BigEndian.Uint64(wide[:]), nil
}

func (t *template) cut() error { return t.invalid("the data ends within an item") }

// Fill puts values into the holes of a template, as Array holds them: one for
// each, by ascending offset.
func Fill(t mesh.Value, holes []mesh.Hole, values []mesh.Value) (mesh.Value, error) {
	size := len(t.Data)
	for _, v := range values {
		size += len(v.Data) + 9
	}
	data, done := make([]byte, 0, size), 0
	for i, hole := range holes {
		if hole.Offset < done || hole.Offset >= len(t.Data) || t.Data[hole.Offset] != cborNull {
			return mesh.Value{}, invalid("fill", "hole %d at offset %d of %d bytes: expected the holes in order, and a null at each", i+1, hole.Offset, len(t.Data))
		}
		data = append(data, t.Data[done:hole.Offset]...)
		var err error
		if data, err = appendItem(data, values[i]); err != nil {
			return mesh.Value{}, err
		}
		done = hole.Offset + 1
	}
	return mesh.Value{Format: mesh.CBOR, Data: append(data, t.Data[done:]...)}, nil
}
