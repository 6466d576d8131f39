package txn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// record is all that it takes to carry a transaction through. It never changes.
type record struct {
	at     lattice.Stamp // of all writes
	needs  lattice.Past  // what they depend on
	writes []Write       // ascending by Key.Path, 1 to MaxKeys
}

// ErrDamaged is what the error of a record wraps that cannot be read.
var ErrDamaged = errors.New("damaged record of a transaction")

// The encoding is canonical: one record has one. Numbers are unsigned varints,
// texts have their length before them.
//
//	version | time | node | needs | number of writes | writes
//	write   namespace | name | 0 (deletes), or 1 and the value
const recordVersion = 1

func newRecord(at lattice.Stamp, needs lattice.Past, writes []Write) *record {
	r := &record{at, needs, slices.Clone(writes)}
	slices.SortFunc(r.writes, func(a, b Write) int { return strings.Compare(a.Key.Path(), b.Key.Path()) })
	for i := range r.writes {
		if r.writes[i].Deletes {
			r.writes[i].Value = nil
		}
	}
	return r
}

func (r *record) encode() []byte {
	b := binary.AppendUvarint([]byte{recordVersion}, r.at.Time)
	b = appendText(b, r.at.Node)
	b = appendText(b, r.needs.AppendBinary(nil))
	b = binary.AppendUvarint(b, uint64(len(r.writes)))
	for _, w := range r.writes {
		b = appendText(appendText(b, w.Key.Namespace), w.Key.Name)
		if w.Deletes {
			b = append(b, 0)
		} else {
			b = appendText(append(b, 1), w.Value)
		}
	}
	return b
}

func appendText[T string | []byte](b []byte, text T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// decodeRecord reads the record of the transaction at a time, as encode wrote
// it; the error is Internal and wraps ErrDamaged. Values share memory with b.
func decodeRecord(b []byte, at lattice.Stamp) (*record, error) {
	d := decoder{in: b}
	r := d.record()
	switch {
	case d.err != nil:
	case len(d.in) > 0:
		d.fail("%d bytes after the end", len(d.in))
	case r.at != at:
		d.fail("it is of %v: expected %v", r.at, at)
	default:
		if err := check(r.writes); err != nil {
			d.fail("%v", err)
		}
	}
	if d.err != nil {
		return nil, mesh.Errorf(mesh.Internal, "commit", "%w at %v: %v", ErrDamaged, at, d.err)
	}
	return r, nil
}

// decoder reads what encode wrote. The first error sticks.
type decoder struct {
	in  []byte
	err error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.in, d.err = nil, fmt.Errorf(format, args...)
	}
}

func (d *decoder) record() *record {
	if version := d.byte(); d.err == nil && version != recordVersion {
		d.fail("version %d: expected %d", version, recordVersion)
	}
	r := &record{at: lattice.Stamp{Time: d.number(), Node: string(d.text())}}
	var err error
	if r.needs, err = lattice.DecodePast(d.text()); err != nil {
		d.fail("%w", err)
	}
	n := d.number()
	if d.err == nil && (r.at.Time == 0 || n == 0 || n > MaxKeys) {
		d.fail("%d writes at %d: expected 1 to %d, and a time", n, r.at.Time, MaxKeys)
	}
	for before := ""; d.err == nil && n > 0; n-- {
		w := d.write()
		if path := w.Key.Path(); path <= before {
			d.fail("key %q after %q: expected them to ascend", path, before)
		} else {
			before = path
		}
		r.writes = append(r.writes, w)
	}
	return r
}

func (d *decoder) write() Write {
	w := Write{Key: mesh.Key{Namespace: string(d.text()), Name: string(d.text())}}
	switch sets := d.byte(); sets {
	case 0:
		w.Deletes = true
	case 1:
		w.Value = d.text()
	default:
		d.fail("%d is not a truth value", sets)
	}
	return w
}

func (d *decoder) byte() byte {
	if len(d.in) == 0 {
		d.fail("it ends too early")
		return 0
	}
	b := d.in[0]
	d.in = d.in[1:]
	return b
}

func (d *decoder) number() uint64 {
	v, n := binary.Uvarint(d.in)
	if n <= 0 || n > 1 && d.in[n-1] == 0 { // longer than it need be
		d.fail("expected a varint")
		return 0
	}
	d.in = d.in[n:]
	return v
}

func (d *decoder) text() []byte {
	n := d.number()
	if n > uint64(len(d.in)) {
		d.fail("%d bytes announced, %d left", n, len(d.in))
		return nil
	}
	text := d.in[:n:n]
	d.in = d.in[n:]
	return text
}
