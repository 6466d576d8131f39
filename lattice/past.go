package lattice

import (
	"cmp"
	"encoding/binary"
	"hash/fnv"
	"iter"
	"slices"
)

// Past says which writes come before something: of each node that it names,
// all that the node made up to a time of its clock. So it grows with the nodes
// of a mesh, not with what was read. It is a version vector (Parker et al.,
// "Detection of Mutual Inconsistency in Distributed Systems", 1983) whose
// numbers are Stamp.Time.
//
// A Past never changes; the zero Past is that of what depends on nothing.
type Past struct {
	upTo []mark // by node, each once
}

// mark is up to when writes of one node are meant.
type mark struct {
	node uint64 // Marked
	time uint64 // Stamp.Time, above 0
}

// Marked is what stands for a node's name in a Past, which is longer. Of a mesh of
// a thousand nodes two have one mark with a probability of 3e-14.
func Marked(node string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(node)) // never fails
	return h.Sum64()
}

// PastOf is that of a single write; of the zero Stamp it is zero.
func PastOf(s Stamp) Past {
	if s.Time == 0 {
		return Past{}
	}
	return Past{[]mark{{Marked(s.Node), s.Time}}}
}

// IsZero reports whether p says nothing.
func (p Past) IsZero() bool { return len(p.upTo) == 0 }

// Len is how many nodes it names.
func (p Past) Len() int { return len(p.upTo) }

// Join is what is in p or in q. It may share memory with them.
func (p Past) Join(q Past) Past {
	switch {
	case p.Covers(q):
		return p
	case q.Covers(p):
		return q
	}
	joined := make([]mark, 0, len(p.upTo)+len(q.upTo))
	a, b := p.upTo, q.upTo
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].node < b[0].node:
			joined, a = append(joined, a[0]), a[1:]
		case a[0].node > b[0].node:
			joined, b = append(joined, b[0]), b[1:]
		default:
			joined = append(joined, mark{a[0].node, max(a[0].time, b[0].time)})
			a, b = a[1:], b[1:]
		}
	}
	return Past{append(append(joined, a...), b...)}
}

// Covers reports whether all of q is in p.
func (p Past) Covers(q Past) bool {
	a := p.upTo
	for _, m := range q.upTo {
		for len(a) > 0 && a[0].node < m.node {
			a = a[1:]
		}
		if len(a) == 0 || a[0].node != m.node || a[0].time < m.time {
			return false
		}
	}
	return true
}

// Compare orders by what is in them.
func (p Past) Compare(q Past) Order { return orderOf(q.Covers(p), p.Covers(q)) }

// Of is up to which time writes of a node are in it; 0: none.
func (p Past) Of(node string) uint64 { return p.OfMarked(Marked(node)) }

// OfMarked is Of for who knows what stands for the node.
func (p Past) OfMarked(node uint64) uint64 {
	at, found := slices.BinarySearchFunc(p.upTo, node, func(m mark, node uint64) int { return cmp.Compare(m.node, node) })
	if !found {
		return 0
	}
	return p.upTo[at].time
}

// All gives the marks of nodes, ascending, and their times.
func (p Past) All() iter.Seq2[uint64, uint64] {
	return func(yield func(node, time uint64) bool) {
		for _, m := range p.upTo {
			if !yield(m.node, m.time) {
				return
			}
		}
	}
}

func (p Past) size() int { return 16 * len(p.upTo) }

// AppendBinary appends the canonical encoding: some 12 bytes for each node.
func (p Past) AppendBinary(dst []byte) []byte {
	dst = appendUvarint(dst, uint64(len(p.upTo)))
	if len(p.upTo) == 0 {
		return dst
	}
	latest := p.Latest()
	dst = appendUvarint(dst, latest)
	for _, m := range p.upTo {
		dst = appendUvarint(binary.BigEndian.AppendUint64(dst, m.node), latest-m.time)
	}
	return dst
}

// Latest is the latest time in it; 0: it says nothing.
func (p Past) Latest() (time uint64) {
	for _, m := range p.upTo {
		time = max(time, m.time)
	}
	return time
}

// DecodePast reads what AppendBinary wrote, and nothing else; the error wraps
// ErrMalformed.
func DecodePast(b []byte) (Past, error) { return decodeWhole(b, (*decoder).past) }

func (d *decoder) past() Past {
	n := d.count()
	if n == 0 {
		return Past{}
	}
	latest := d.uvarint()
	if n > len(d.in)/9 {
		d.fail("%d nodes announced, %d bytes left", n, len(d.in))
		return Past{}
	}
	p := Past{make([]mark, 0, n)}
	for i := range n {
		node, before := d.uint64(), d.uvarint()
		if before >= latest {
			d.fail("a time %d before %d", before, latest)
		}
		if i > 0 && !ascending(d, i, p.upTo[i-1].node, node) || d.err != nil {
			return Past{}
		}
		p.upTo = append(p.upTo, mark{node, latest - before})
	}
	if p.Latest() != latest {
		d.fail("no node has the latest time %d", latest)
	}
	return p
}
